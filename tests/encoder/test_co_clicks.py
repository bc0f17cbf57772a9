from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import tensor

from iamm.dataset.base import Split
from iamm.encoder.co_clicks import CoClicksEncoder, item_vectors


def similarities(clicks: list[tuple[int, int]], items: int, shrinkage: float) -> np.ndarray:
    """P pair by pair, from the sets of users."""
    users = [{user for user, item in clicks if item == each and each > 3} for each in range(items)]
    found = np.zeros((items, items))
    for i, a in enumerate(users):
        for j, b in enumerate(users):
            if a & b:
                both = len(a & b)
                found[i, j] = 1 if i == j else both / (len(a) * len(b)) ** 0.5 * both / (both + shrinkage)
    return found


def drawn(users: int, items: int, count: int) -> list[tuple[int, int]]:
    dice = np.random.default_rng(1)
    return [
        (int(u), int(i)) for u, i in zip(dice.integers(0, users, count), dice.integers(3, items, count), strict=True)
    ]


def test_by_hand():
    """Items 4 and 5 have users {0, 1} and {1}: cos = 1/√2, halved by one user of one: P = ((1, p), (p, 1))."""
    vectors = item_vectors(np.array([0, 1, 1]), np.array([4, 4, 5]), 6, 6, 1.0)
    np.testing.assert_allclose(
        vectors @ vectors.T,
        np.diag([0, 0, 0, 0, 1, 1]) + np.pad([[0, 8**-0.5], [8**-0.5, 0]], ((4, 0), (4, 0))),
        atol=1e-12,
    )


def test_all_eigenvectors_above_zero_give_the_similarities():
    clicks = drawn(users=17, items=13, count=61)
    user, item = np.array(clicks).T
    expected = similarities(clicks, 13, 3.0)
    values, directions = np.linalg.eigh(expected)
    positive = directions * np.maximum(values, 0) @ directions.T
    vectors = item_vectors(user, item, 13, 19, 3.0)
    assert vectors.shape == (13, 19)
    np.testing.assert_allclose(vectors @ vectors.T, positive, atol=1e-12)


def test_the_largest_eigenvectors_are_the_best_of_their_rank():
    clicks = drawn(users=29, items=23, count=161)
    user, item = np.array(clicks).T
    values, directions = np.linalg.eigh(similarities(clicks, 23, 3.0))
    best = directions[:, -5:] * values[-5:] @ directions[:, -5:].T
    vectors = item_vectors(user, item, 23, 5, 3.0)
    np.testing.assert_allclose(vectors @ vectors.T, best, atol=1e-9)
    np.testing.assert_array_equal(item_vectors(user, item, 23, 5, 3.0), vectors)


def test_features_are_the_vectors_of_candidate_and_history(text_scene):
    train = Split(
        {"candidate": tensor([4, 4, 5, 6, 6]), "user": tensor([0, 1, 1, 1, 0])},
        tensor([1, 1, 1, 0, 1]),
        tensor([True, True, True, True, False]),
    )
    encoder = CoClicksEncoder(replace(text_scene(3), splits={"train": train}), 5, shrinkage=1.0)
    inputs = {"candidate": tensor([5, 4]), "history": tensor([[4, 5, 6], [4, 0, 0]])}
    values, allow = encoder(inputs, tensor([True, True]))
    assert allow.tolist() == [[True] * 4, [True, True, False, False]]
    torch.testing.assert_close(
        values[0] @ values[0].T,
        tensor([[1, 8**-0.5, 1, 0], [8**-0.5, 1, 8**-0.5, 0], [1, 8**-0.5, 1, 0], [0, 0, 0, 0]]),
    )
    assert (values[0, 3] == 0).all()  # item 6 has no click that is present


def test_shrinkage_is_not_negative(text_scene):
    with pytest.raises(ValueError, match=r"^`shrinkage` must be a number at least 0\. Found -1\."):
        CoClicksEncoder(text_scene(3), 5, shrinkage=-1)
