from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import tensor

from iamm.dataset.base import Split
from iamm.encoder.gaussian_process import GaussianProcessEncoder, entries, item_levels, met_together

HOUR = 3600
HERE = tensor([True, True, True])
INPUTS = {
    "candidate": tensor([5, 6, 4]),
    "history": tensor([[4, 6, 7], [4, 5, 0], [0, 0, 0]]),
    "values": tensor([[5.0, 2.0, 3.0], [1.0, 4.0, -1.0], [-1.0, -1.0, -1.0]]),
    "ages": tensor([[5 * HOUR, HOUR, -HOUR - 1], [2 * HOUR, HOUR, -1], [-1, -1, -1]]),  # the third comes an hour later
}


@pytest.fixture
def train() -> Split:
    """Users 0, 1 and 2 rate items 4 to 7; an entry stands in several histories, and the last example is absent."""
    inputs = {
        "user": tensor([0, 0, 1, 2, 2]),
        "candidate": tensor([7, 7, 5, 4, 4]),
        "history": tensor([[4, 5, 0], [4, 5, 6], [4, 7, 0], [5, 6, 7], [4, 5, 6]]),
        "values": tensor([[5.0, 4.0, -1.0], [5.0, 4.0, 1.0], [2.0, 4.0, -1.0], [3.0, 3.0, 5.0], [1.0, 1.0, 1.0]]),
        "ages": tensor([[2, 1, -1], [3, 2, 1], [2, 1, -1], [3, 2, 1], [3, 2, 1]]),
    }
    return Split(inputs, tensor([1, 1, 0, 1, 1]), tensor([True, True, True, True, False]))


@pytest.fixture
def encoder(text_scene, train) -> GaussianProcessEncoder:
    scene = replace(text_scene(5), splits={"train": train})
    settings = {"likeness": 0.7, "mood": 0.4, "hours": 3.0, "level": 0.1, "noise": 0.6}
    return GaussianProcessEncoder(scene, 7, **settings).double()


def expectation(encoder, candidate: int, history: list[tuple[int, float, float]]) -> float:
    """b_c + k_cᵀ (K + λI)⁻¹ (r − μ − b), entry by entry; hours of a candidate are 0."""

    def likeness(one: tuple, other: tuple) -> float:
        inner = sum(float(a * b) for a, b in zip(encoder.vectors[one[0]], encoder.vectors[other[0]], strict=True))
        return inner + 0.4 * math.exp(-abs(one[2] - other[2]) / 3.0) + 0.1

    asked = (candidate, None, 0.0)
    kernel = np.array([[likeness(one, other) + 0.6 * (one is other) for other in history] for one in history])
    rest = np.array([value - float(encoder.mean) - float(encoder.levels[item]) for item, value, _ in history])
    near = np.array([likeness(asked, one) for one in history])
    return float(encoder.levels[candidate]) + (near @ np.linalg.solve(kernel, rest) if history else 0.0)


def test_the_inner_product_is_the_expectation(encoder):
    values, allow = encoder(INPUTS, HERE)
    assert allow.tolist() == [[True] * 5, [True, True, True, True, False], [True, True, False, False, False]]
    mean = (values[:, 1:] * allow[:, 1:, None]).sum(dim=1) / allow[:, 1:].sum(dim=1, keepdim=True)
    expected = [
        expectation(encoder, 5, [(4, 5.0, 5.0), (6, 2.0, 1.0), (7, 3.0, -1.0)]),
        expectation(encoder, 6, [(4, 1.0, 2.0), (5, 4.0, 1.0)]),
        expectation(encoder, 4, []),
    ]
    torch.testing.assert_close((values[:, 0] * mean).sum(dim=1), tensor(expected, dtype=torch.float64))
    assert len({round(each, 3) for each in expected}) == 3


def test_equal_histories_are_solved_once_and_others_apart(encoder, monkeypatch):
    """Of five rows two and two have one history, at times that differ from the candidate's alone, by whole seconds."""
    rows = tensor([0, 0, 1, 1, 2])
    inputs = {name: values[rows] for name, values in INPUTS.items()}
    inputs["ages"] = tensor([[9011, 4127, 3], [9028, 4144, 20], [23, 1, -1], [30, 8, -1], [-1, -1, -1]])
    solved, solve = [], torch.cholesky_solve
    monkeypatch.setattr(torch, "cholesky_solve", lambda rest, factor: solved.append(len(rest)) or solve(rest, factor))
    values, _ = encoder(inputs, HERE[[0] * 5])
    assert solved == [3]
    assert not torch.equal(values[0], values[1])
    for row in range(5):
        alone, _ = encoder({name: part[row : row + 1] for name, part in inputs.items()}, HERE[:1])
        torch.testing.assert_close(values[row], alone[0])


def test_vectors_and_levels_are_of_the_entries_of_training_once(encoder, train):
    user, item, value = entries(train)
    found = sorted(zip(user.tolist(), item.tolist(), value.tolist(), strict=True))
    assert found == [
        *((0, 4, 5.0), (0, 5, 4.0), (0, 6, 1.0), (1, 4, 2.0), (1, 7, 4.0)),
        *((2, 5, 3.0), (2, 6, 3.0), (2, 7, 5.0)),
    ]
    vectors = met_together(user, item, 9, 5)
    torch.testing.assert_close(encoder.vectors, torch.from_numpy(vectors * 0.7**0.5), atol=1e-6, rtol=0)
    mean, levels = item_levels(user, item, value, vectors, 7.5, item)
    assert mean == 27 / 8
    torch.testing.assert_close(encoder.levels, torch.from_numpy(levels), atol=1e-6, rtol=0)


@pytest.mark.parametrize("rank", [4, 13])
def test_vectors_are_those_of_the_items_that_the_same_users_met(rank):
    """Cosines of the best matrix of their rank, by an exact decomposition; item 12 and the special ones have none."""
    dice = np.random.default_rng(3)
    pairs = sorted({(int(u), int(i)) for u, i in zip(dice.integers(0, 9, 50), dice.integers(4, 12, 50), strict=True)})
    user, item = np.array(pairs).T
    users, items = (np.bincount(each, minlength=count) for each, count in ((user, 9), (item, 13)))
    met = np.zeros((9, 13))
    for u, i in pairs:
        met[u, i] = 1 / (users[u] ** 0.5 * items[i] ** 0.25)
    left, size, right = np.linalg.svd(met)
    best = (left[:, :rank] * size[:rank]) @ right[: min(rank, 9)]
    best[:, items > 0] /= np.linalg.norm(best[:, items > 0], axis=0)
    vectors = met_together(user, item, 13, rank)
    assert vectors.shape == (13, rank)
    np.testing.assert_allclose(vectors @ vectors.T, best.T @ best, atol=1e-9)
    assert not vectors[[0, 1, 2, 3, 12]].any()


def test_levels_equal_a_naive_loop():
    """The regression by least squares, with a row for each item and one for each coefficient's own square."""
    dice = np.random.default_rng(5)
    user, item, value = dice.integers(0, 7, 61), dice.integers(0, 10, 61), dice.normal(size=61)
    vectors, prior = dice.normal(size=(11, 3)), 2.0  # the last item has no entry
    mean, levels, of_user = value.mean(), np.zeros(11), np.zeros(7)
    rows = [[entry for entry in range(61) if item[entry] == each] for each in range(11)]
    features = np.array([[*v, np.log1p(len(r)), np.log1p(len(r)) ** 2, 1] for v, r in zip(vectors, rows, strict=True)])
    for _ in range(3):
        rest = [[value[entry] - mean - of_user[user[entry]] for entry in each] for each in rows]
        weights = np.array([len(each) / (len(each) + prior) for each in rows]) ** 0.5
        answers = weights * np.array([np.mean(each) if each else 0 for each in rest])
        left, right = np.vstack((weights[:, None] * features, np.eye(6))), np.append(answers, np.zeros(6))
        expected = features @ np.linalg.lstsq(left, right, rcond=None)[0]
        levels = np.array(
            [(sum(each) + prior * e) / (len(each) + prior) for each, e in zip(rest, expected, strict=True)]
        )
        over = [
            [value[entry] - mean - levels[item[entry]] for entry in range(61) if user[entry] == u] for u in range(7)
        ]
        of_user = np.array([sum(each) / (len(each) + prior) for each in over])
    found_mean, found = item_levels(user, item, value, vectors, prior, item)
    assert found_mean == mean
    np.testing.assert_allclose(found, levels, atol=1e-12)


def test_an_entry_without_a_value_counts_in_likeness_and_popularity_alone(encoder, train):
    """Item 8 has no value, 5 is met by one user more; a pair that is known stands once, an absent row not at all."""
    inputs = {"user": tensor([3, 0, 3, 0, 1]), "candidate": tensor([8, 8, 5, 4, 6])}
    log = Split(inputs, tensor([1, 1, 0, 0, 1]), tensor([True, True, True, True, False]))
    encoder.learn_items(train, log)
    user, item, value = entries(train)
    met = np.array([*zip(user, item, strict=True), (0, 8), (3, 5), (3, 8)]).T
    vectors = met_together(*met, 9, 5)
    found = encoder.vectors.numpy()
    np.testing.assert_allclose(found @ found.T, 0.7 * vectors @ vectors.T, atol=1e-9)
    mean, levels = item_levels(user, item, value, vectors, 7.5, met[1])
    assert float(encoder.mean) == mean == 27 / 8
    np.testing.assert_allclose(encoder.levels, levels, atol=1e-9)
    few = item_levels(user, item, value, vectors, 7.5, met[1][met[1] != 8])[1]
    assert few[8] != levels[8]  # popularity counts
    encoder.learn_items(train, replace(log, targets=1 - log.targets))
    np.testing.assert_array_equal(encoder.levels, levels)
    encoder.learn_items(train)
    torch.testing.assert_close(encoder.vectors, torch.from_numpy(met_together(user, item, 9, 5) * 0.7**0.5))


def test_without_values_a_click_is_one(text_scene):
    """And training examples that were passed are 0; histories hold clicks."""
    inputs = {"user": tensor([0, 0, 1]), "candidate": tensor([4, 5, 4]), "history": tensor([[6, 0], [4, 0], [5, 0]])}
    train = Split(inputs, tensor([1, 0, 0]), HERE)
    assert [each.tolist() for each in entries(train)] == [[0, 0, 1], [4, 5, 4], [1.0, 0.0, 0.0]]
    encoder = GaussianProcessEncoder(replace(text_scene(5), splits={"train": train}), 5).double()
    values, _ = encoder({"candidate": tensor([5]), "history": tensor([[4]])}, HERE[:1])
    k = float(encoder.vectors[4] @ encoder.vectors[4]) + 0.5
    weight = (1 - float(encoder.mean) - float(encoder.levels[4])) / (k + 1)
    assert float(values[0, 2, 1]) == pytest.approx(2 * weight * 0.5)


@pytest.mark.parametrize(("changes", "message"), [({"noise": 0}, "`noise`"), ({"hours": 0}, "`hours`")])
def test_settings_are_refused(text_scene, train, changes, message):
    with pytest.raises(ValueError, match=f"^{message} must be a number above 0"):
        GaussianProcessEncoder(replace(text_scene(5), splits={"train": train}), 5, **changes)
