"""From rows of a log to examples: by hand, and against naive loops."""

from __future__ import annotations

import numpy as np
import pytest

from iamm.dataset.base import Dataset
from iamm.dataset.behaviour import Sampling, behaviour_datasets, draw_excluding
from iamm.dataset.log import Log, last_clicks_apart, sorted_log
from iamm.dataset.vocabulary import UNKNOWN

WORDS = [f"i{number}" for number in range(40)]


def log_of(*rows: tuple[int, int, int, bool]) -> Log:
    """Rows of user, item, time and click."""
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return sorted_log(columns[0], columns[1], columns[3], columns[2])


BY_HAND = log_of(
    (0, 3, 50, True),
    (0, 1, 10, True),
    (0, 2, 20, True),
    (0, 4, 30, False),
    (0, 5, 40, True),
    (0, 6, 60, False),
    (1, 1, 5, True),
    (1, 2, 6, True),
)


def made(log: Log, **changes) -> Dataset:
    given = {"seed": 3, "max_history": 3, "negatives": 0, "candidates": 0}
    sampling = Sampling(**{**given, **changes})
    return behaviour_datasets("toy", {"all": log}, {"all": last_clicks_apart(log)}, WORDS, sampling, batch_size=7)[0]


def readable(dataset: Dataset, split: str) -> list[tuple]:
    scene = dataset.scenes[0]
    part, names = scene.splits[split], scene.source
    columns = [*(part.inputs[name] for name in ("user", "history", "candidate")), part.targets]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        (u, [names.piece(i) for i in history if i], names.piece(item), clicked) for u, history, item, clicked in rows
    ]


def test_by_hand():
    """User 0 clicks 1, 2, 5 and 3, and passes 4 (before 5) and 6 (at the end); user 1 has too few clicks to test."""
    assert last_clicks_apart(BY_HAND).tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    dataset = made(BY_HAND)
    scene = dataset.scenes[0]
    assert (scene.name, scene.kind, scene.task) == ("toy_all", "behaviour", "ranking")
    assert scene.source.pieces[4:] == ("i1", "i2")
    assert readable(dataset, "train") == [(0, ["i1"], "i2", 1), (1, ["i1"], "i2", 1)]
    assert readable(dataset, "validation") == [(0, ["i1", "i2"], "<unk>", 0), (0, ["i1", "i2"], "<unk>", 1)]
    assert readable(dataset, "test") == [
        (0, ["i1", "i2", "<unk>"], "<unk>", 1),
        (0, ["i2", "<unk>", "<unk>"], "<unk>", 0),
    ]
    ages = scene.splits["test"].inputs["ages"].tolist()
    assert ages == [[40, 30, 10], [40, 20, 10]]
    assert scene.splits["train"].inputs["ages"].tolist() == [[10], [1]]


def invented(users: int = 23, items: int = 40, labels: bool = True) -> Log:
    dice = np.random.default_rng(5)
    rows = []
    for user in range(users):
        chosen = dice.permutation(items)[: dice.integers(1, 15)]
        rows += [
            (user, int(item), int(dice.integers(0, 99)), bool(dice.random() < 0.7 or not labels)) for item in chosen
        ]
    return log_of(*rows)


def naive_histories(log: Log) -> list[list[int]]:
    return [
        [int(log.item[b]) for b in range(row) if log.user[b] == log.user[row] and log.clicked[b]]
        for row in range(len(log.user))
    ]


@pytest.mark.parametrize("labels", [True, False])
def test_histories_and_splits_equal_a_naive_loop(labels):
    log = invented(labels=labels)
    dataset, splits = made(log, max_history=4), last_clicks_apart(log)
    names = [word if number in log.item[splits == 0] else "<unk>" for number, word in enumerate(WORDS)]
    for number, name in enumerate(("train", "validation", "test")):
        expected = [
            (int(log.user[row]), history[-4:], int(log.item[row]), int(log.clicked[row]))
            for row, history in enumerate(naive_histories(log))
            if history and splits[row] == number
        ]
        assert readable(dataset, name) == [(u, [names[item] for item in h], names[i], c) for u, h, i, c in expected]
    for user in np.unique(log.user):
        clicks = log.clicked[log.user == user]
        held = splits[log.user == user][clicks]
        assert held.tolist() == ([0] * (len(held) - 2) + [1, 2] if len(held) > 2 else [0] * len(held))


def test_what_is_drawn_is_nothing_that_the_user_has_a_row_of():
    log = invented(labels=False)
    plain, dataset = made(log), made(log, negatives=3, candidates=9)
    everything = {user: {int(item) for item in log.item[log.user == user]} for user in np.unique(log.user)}
    ids = {dataset.scenes[0].source.index.get(word, UNKNOWN): number for number, word in enumerate(WORDS)}
    for split, times in (("train", 4), ("validation", 9), ("test", 9)):
        assert dataset.size(split) == times * plain.size(split)
        clicked = [row for row in readable(dataset, split) if row[3]]
        assert clicked == readable(plain, split)
        part = dataset.scenes[0].splits[split]
        drawn = [part.inputs[key][part.targets == 0].tolist() for key in ("user", "candidate")]
        for user, item in zip(*drawn, strict=True):
            assert item == UNKNOWN or ids[item] not in everything[user]
        passed = [(row[0], tuple(row[1])) for row in readable(dataset, split) if not row[3]]
        assert sorted(set(passed)) == sorted({(row[0], tuple(row[1])) for row in clicked})


def test_numbers_that_are_not_excluded_are_drawn_evenly():
    dice, excluded = np.random.default_rng(0), np.array([0, 2, 3, 7])
    assert sorted(draw_excluding(99, 9, excluded, dice).tolist()) == [1, 4, 5, 6, 8]
    counts = np.bincount(np.concatenate([draw_excluding(2, 9, excluded, dice) for _ in range(2000)]), minlength=9)
    assert (counts[excluded] == 0).all()
    assert counts[[1, 4, 5, 6, 8]] == pytest.approx([800] * 5, abs=80)
    assert set(draw_excluding(99, 9, excluded, dice, repeats=True).tolist()) == {1, 4, 5, 6, 8}
    assert len(draw_excluding(99, 9, excluded, dice, repeats=True)) == 99
    for repeats in (True, False):
        assert draw_excluding(3, 4, np.arange(4), dice, repeats=repeats).tolist() == []


def test_limits_are_drawn_by_the_seed():
    log = invented()
    dataset = made(log, negatives=1, candidates=5, evaluated=4, train=20)
    assert dataset.size("train") == 20
    assert len(dataset.scenes[0].splits["test"].inputs["user"].unique()) == 4
    same, other = (made(log, negatives=1, candidates=5, evaluated=4, train=20, seed=seed) for seed in (3, 4))
    assert dataset.checksum() == same.checksum() != other.checksum()


def test_scenes_share_their_items_and_the_first_carries_the_notices():
    log = invented()
    logs = {name: log.rows(log.item % 2 == odd) for odd, name in enumerate(("even", "odd"))}
    splits = {name: last_clicks_apart(part) for name, part in logs.items()}
    sampling = Sampling(seed=0, max_history=3, negatives=1, candidates=4)
    even, odd = behaviour_datasets("toy", logs, splits, WORDS, sampling, batch_size=3, notices=("a line",))
    assert even.scenes[0].source is odd.scenes[0].source
    assert (even.notices, odd.notices) == (("a line",), ())
    names = {row[2] for row in readable(odd, "train")} - {"<unk>"}
    assert names <= set(WORDS[1::2])
