from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import iamm.memory
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.feeds import ASPECTS, SCENES, FeedsDataset, World, impressions_of
from iamm.errors import BadDataError
from iamm.head.ranking import rankings

SMALL = {"seed": 3, "users": 41, "items": 23, "impressions": 37, "held_out": 2}


def made(**changes) -> list[Dataset]:
    return FeedsDataset(**{**SMALL, **changes})


def world(**changes) -> World:
    given = {"seed": 3, "users": 2000, "items": 23, "relatedness": 0.5, "drift": 0.5, "sharpness": 3.0}
    return World.drawn(**{**given, **changes})


def test_chance_by_hand():
    """Two aspects count double and one third, A = 6: fit = (2 · 0.5 · 3 + 1 · 1 · (−1)) / √6, at the start."""
    aspects = np.array([[3.0, -1, 0, 0, 0, 0]])
    tastes = np.zeros((2, 1, 1, 6))
    tastes[0, 0, 0, :2], tastes[1, 0, 0, 2] = (0.5, 1), 9
    one = World(tastes, aspects, np.array([0.25]), np.array([[2.0, 1, 7, 7, 7, 7]]), drift=0.36, sharpness=2.0)
    zero = np.zeros(2, dtype=int)
    fit = 2 / 6**0.5 * np.array([1, 0.8])  # √(1 − 0.36) = 0.8 of the taste is left at the end
    expected = 1 / (1 + np.exp(-(2 * fit + 0.25 - 1)))
    np.testing.assert_allclose(one.chance(zero, zero, zero, np.array([0.0, 1.0])), expected)


@pytest.mark.parametrize("relatedness", [0.0, 0.5, 1.0])
def test_relatedness_is_the_correlation_of_a_users_tastes_in_two_scenes(relatedness):
    tastes = world(relatedness=relatedness).tastes
    found = np.corrcoef(tastes[:, 0].ravel(), tastes[:, 1].ravel())[0, 1]
    assert found == pytest.approx(relatedness, abs=0.02)  # of 24,000 numbers: a deviation of 0.006
    assert tastes.std() == pytest.approx(1, abs=0.02)


def test_a_context_has_a_mean_square_of_1():
    np.testing.assert_allclose((world().contexts ** 2).mean(axis=1), np.ones(len(SCENES)))


def test_clicks_have_their_chance():
    one = world()
    log, scene = impressions_of(one, random_generator(0, "rows"), 29)
    chance = one.chance(log.user, log.item, scene, log.time / (30 * 86400))
    for low in np.arange(0, 1, 0.2):
        rows = (low <= chance) & (chance < low + 0.2)
        assert log.clicked[rows].mean() == pytest.approx(chance[rows].mean(), abs=0.02)
    assert rankings(chance, log.clicked, log.user)["gauc"] > 0.85


def test_taste_decides_by_its_sharpness():
    one = replace(world(), sharpness=0.0)
    rows = np.arange(23)
    alike = [one.chance(np.full(23, user), rows, np.full(23, scene), rows / 23) for user in (0, 1) for scene in (0, 2)]
    np.testing.assert_allclose(alike, np.broadcast_to(1 / (1 + np.exp(1 - one.appeal)), (4, 23)))


def test_rows_are_those_of_the_log():
    datasets = made()
    log, scene = impressions_of(world(users=41), random_generator(3, "feeds", "rows"), 37)
    assert [dataset.name for dataset in datasets] == [f"feeds_{name}" for name in SCENES]
    for number, dataset in enumerate(datasets):
        part = log.rows(scene == number)
        after_a_click = part.earlier() > 0
        splits = dataset.scenes[0].splits
        assert sum(map(len, splits.values())) == after_a_click.sum()
        users = np.concatenate([split.inputs["user"] for split in splits.values()])
        np.testing.assert_array_equal(np.sort(users), part.user[after_a_click])
        assert all((split.inputs["ages"][:, 0] >= 0).all() for split in splits.values())
    for user in range(41):
        tested = sum(
            int(d.scenes[0].splits["test"].targets[d.scenes[0].splits["test"].inputs["user"] == user].sum())
            for d in datasets
        )
        assert tested <= 2


def test_items_are_called_by_their_largest_aspect():
    vocabulary = made()[0].scenes[0].source
    aspects = world(users=41).aspects
    assert vocabulary.pieces[4:] == tuple(f"{ASPECTS[row.argmax()]}_{item}" for item, row in enumerate(aspects))


def test_a_scene_has_the_same_rows_whatever_others_there_are():
    (alone,), beside = made(scenes=("video",)), made()[1]
    assert alone.checksum() == beside.checksum()


def test_a_new_user_has_a_history_in_other_scenes_only():
    """Who is tested in a scene is in no training example of it, and has clicks elsewhere; one user is new in all."""
    for dataset in made(history="others", new_users=True, users=50):
        splits = dataset.scenes[0].splits
        users = {name: set(split.inputs["user"].tolist()) for name, split in splits.items()}
        assert all(4 <= len(users[name]) <= 5 for name in ("validation", "test"))
        assert not users["train"] & (users["test"] | users["validation"])
        assert (splits["test"].inputs["history"][:, 0] > 0).all()
    with pytest.raises(ValueError, match=r"in other scenes only\. Found history=scene, new_users=True: change one"):
        made(new_users=True)


def test_data_beyond_memory_are_refused(monkeypatch):
    monkeypatch.setattr(iamm.memory, "available_memory", lambda: 1 << 30)
    with pytest.raises(BadDataError, match=r"1,000,000,000 rows of feeds, which takes .* lower dataset\.feeds\.users"):
        made(users=1_000_000, impressions=1000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenes": ("mail",)}, "each of them one of news, video, shop. Found \\('mail',\\)"),
        ({"relatedness": 1.5}, "`relatedness` must be a number at least 0 and at most 1. Found 1.5"),
        ({"users": 0}, "`users` must be"),
    ],
)
def test_impossible_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        made(**changes)
