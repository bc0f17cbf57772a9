"""Which rows are held out and which clicks are read, against naive loops over an invented log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iamm.dataset.log import FOLDS, LEFT_OUT, TEST, TRAIN, VALIDATION, Log, new_users_apart, scene_logs, sorted_log


@pytest.fixture
def log() -> Log:
    dice = np.random.default_rng(2)
    user = np.repeat(np.arange(30), 11)
    return sorted_log(user, dice.integers(0, 9, 330), dice.random(330) < 0.6, dice.integers(0, 999, 330))


@pytest.fixture
def inside(log) -> dict[str, np.ndarray]:
    """Two scenes that have items 4 and 5 in common."""
    return {"low": log.item < 6, "high": log.item > 3}


def clicks_before(log: Log, row: int, read: np.ndarray) -> list[int]:
    return [int(log.item[r]) for r in range(row) if log.user[r] == log.user[row] and log.clicked[r] and read[r]]


def made(log, inside, **changes):
    given = {"held_out": 1, "history": "scene", "new_users": False, "known": None, "name": "toy", "seed": 0}
    return scene_logs(log, inside, **{**given, **changes})


def readable(history) -> list[list[int]]:
    """The items of each row's history, the oldest first."""
    chosen, real = history.read(np.arange(len(history.end)), 99)
    return [history.entries.item[row[kept]].tolist() for row, kept in zip(chosen, real, strict=True)]


def hidden_rows(log, inside) -> np.ndarray:
    splits = new_users_apart(log, inside, "toy", 0)
    return (splits["low"] > TRAIN) | (splits["high"] > TRAIN)


@pytest.mark.parametrize("history", ["scene", "all", "others"])
@pytest.mark.parametrize("new_users", [False, True])
def test_histories_equal_a_naive_loop(log, inside, history, new_users):
    found = made(log, inside, history=history, new_users=new_users)
    for scene, rows in inside.items():
        read = {"scene": rows, "all": np.ones(330, dtype=bool), "others": ~rows}[history].copy()
        if new_users:
            read &= ~hidden_rows(log, inside)
        assert readable(found.histories[scene]) == [clicks_before(log, row, read) for row in rows.nonzero()[0]]
        assert found.logs[scene].item.tolist() == log.item[rows].tolist()


def clicks_of(log: Log, user: int, read: np.ndarray) -> list[int]:
    return ((log.user == user) & log.clicked & read).nonzero()[0].tolist()


@pytest.mark.parametrize("new_users", [False, True])
def test_a_stranger_is_the_next_user(log, inside, new_users):
    """All of their clicks in the other scenes, wherever the user has one there."""
    found = made(log, inside, history="stranger", new_users=new_users)
    for scene, rows in inside.items():
        read = ~rows & ~hidden_rows(log, inside) if new_users else ~rows
        expected = [
            log.item[clicks_of(log, (log.user[row] + 1) % 30, read)].tolist() if clicks_before(log, row, read) else []
            for row in rows.nonzero()[0]
        ]
        assert readable(found.histories[scene]) == expected
        assert any(expected)


def test_a_whole_history_has_later_clicks_too(log, inside):
    """All of the user's clicks in the other scenes that are not held out, wherever there is an earlier one."""
    found = made(log, inside, history="whole", new_users=True)
    for scene, rows in inside.items():
        read = ~rows & ~hidden_rows(log, inside)
        expected = [
            log.item[clicks_of(log, log.user[row], read)].tolist() if clicks_before(log, row, read) else []
            for row in rows.nonzero()[0]
        ]
        assert readable(found.histories[scene]) == expected
        assert any(expected)


@pytest.mark.parametrize("new_users", [False, True])
def test_an_oracle_reads_all_clicks_but_one(log, inside, new_users):
    """The row itself, or where it is none the next click, or the last one: all rows of a user have one length.

    Of what is held out it reads its own scene's alone, so that no training example has a held-out click in its history.
    """
    found = made(log, inside, history="oracle", new_users=new_users)
    for scene, rows in inside.items():
        others, expected = ~rows & ~hidden_rows(log, inside) if new_users else ~rows, []
        for row in rows.nonzero()[0]:
            clicks = clicks_of(log, log.user[row], others | rows)
            left_out = next((click for click in clicks if click >= row), clicks[-1])
            read = [click for click in clicks if click != left_out]
            expected.append(log.item[read].tolist() if clicks_before(log, row, others) else [])
        assert readable(found.histories[scene]) == expected
        assert sum(map(len, expected)) > 500


@pytest.mark.parametrize("history", ["whole", "oracle"])
def test_of_a_long_whole_history_those_around_the_row_are_read(log, inside, history):
    """Three, the row between the first two and the third; an oracle has none of them left out besides."""
    found, rows = made(log, inside, history=history).histories["low"], inside["low"]
    chosen, real = found.read(np.arange(len(found.end)), 3)
    expected = []
    for row, long in zip(rows.nonzero()[0], readable(found), strict=True):
        before = len(clicks_before(log, row, ~rows | (history == "oracle")))
        end = min(max(before + (2 if history == "whole" else 1), min(3, len(long))), len(long))
        expected.append(long[max(end - 3, 0) : end])
    assert [found.entries.item[row[kept]].tolist() for row, kept in zip(chosen, real, strict=True)] == expected
    assert sum(len(each) == 3 for each in expected) > 30


@pytest.mark.parametrize("history", ["all", "others", "whole", "stranger", "oracle"])
def test_clicks_of_an_unknown_scene_are_read_there_alone(log, inside, history):
    """Known scenes have the rows that a run without the target gives them."""
    known = {scene: rows for scene, rows in inside.items() if scene != "high"} | {"rest": log.item == 8}
    found = made(log, known | {"high": inside["high"]}, history=history, known=["low", "rest"])
    without = made(log, known, history=history)
    for scene in known:
        assert readable(found.histories[scene]) == readable(without.histories[scene])
    item = found.histories["high"].entries.item
    assert (set(item.tolist()) <= {0, 1, 2, 3}) == (history in ("others", "whole", "stranger"))


def test_new_users_are_a_tenth_and_a_tenth_with_all_of_their_rows(log, inside):
    splits = new_users_apart(log, inside, "toy", 0)
    users = {}
    for scene, rows in inside.items():
        for part in (VALIDATION, TEST):
            held = splits[scene] == part
            users[scene, part] = set(log.user[held].tolist())
            assert len(users[scene, part]) == 3
            np.testing.assert_array_equal(held, rows & np.isin(log.user, list(users[scene, part])))
        assert not users[scene, VALIDATION] & users[scene, TEST]
    assert users["low", TEST] != users["high", TEST]


def test_no_scene_trains_on_a_row_that_another_one_holds_out(log, inside):
    splits = new_users_apart(log, inside, "toy", 0)
    held = {scene: split > TRAIN for scene, split in splits.items()}
    assert ((splits["low"] == LEFT_OUT) == (held["high"] & ~held["low"])).all()
    assert (held["low"] & (splits["high"] == TRAIN)).sum() == 0
    assert (splits["low"] == LEFT_OUT)[inside["low"]].any()


def test_last_clicks_are_held_out_over_all_scenes(log, inside):
    splits = made(log, inside).splits
    for user in range(30):
        rows = (log.user == user).nonzero()[0]
        last = rows[log.clicked[rows]][-1]
        for scene, mask in inside.items():
            if mask[last]:
                assert splits[scene][mask.nonzero()[0].tolist().index(last)] == TEST


def test_over_the_folds_each_user_is_tested_once_in_each_scene(log):
    """And in each fold in one of the five scenes, whatever the seed; another tenth of the users validates."""
    inside = {str(scene): np.arange(330) % 5 == scene for scene in range(5)}
    tested = {scene: np.zeros(30, dtype=int) for scene in inside}
    for fold in range(FOLDS):
        splits, in_fold = new_users_apart(log, inside, "toy", fold, fold), np.zeros(30, dtype=int)
        for scene, rows in inside.items():
            test, validation = (np.isin(np.arange(30), log.user[splits[scene] == part]) for part in (TEST, VALIDATION))
            assert (test.sum(), validation.sum(), (test & validation).sum()) == (6, 3, 0)
            np.testing.assert_array_equal(splits[scene] == TEST, rows & test[log.user])
            tested[scene] += test
            in_fold += test
        assert in_fold.tolist() == [1] * 30
    assert all(count.tolist() == [1] * 30 for count in tested.values())


def test_a_target_changes_no_fold_of_the_known_scenes(log):
    """Wherever it stands among them."""
    inside = {scene: np.arange(330) % 3 == number for number, scene in enumerate(("target", "one", "two"))}
    known = {scene: inside[scene] for scene in ("one", "two")}
    settings = {"history": "others", "new_users": True, "fold": 2}
    beside = made(log, inside, known=("one", "two"), **settings).splits
    alone = made(log, known, known=None, **settings).splits
    assert all(np.array_equal(beside[scene], alone[scene]) for scene in known)
    assert len({tuple(np.unique(log.user[inside[scene]][beside[scene] == TEST])) for scene in inside}) == 3


def test_histories_of_a_log_with_values_hold_the_passed_items_too(log, inside):
    valued = replace(log, value=1.0 + np.arange(330))
    found = made(valued, inside, history="others")
    for scene, rows in inside.items():
        history = found.histories[scene]
        chosen, real = history.read(np.arange(len(history.end)), 99)
        expected = [
            [1.0 + r for r in range(row) if log.user[r] == log.user[row] and not rows[r]] for row in rows.nonzero()[0]
        ]
        assert [history.entries.value[row[kept]].tolist() for row, kept in zip(chosen, real, strict=True)] == expected
    for scene, split in made(log, inside).splits.items():  # which rows are held out depends on clicks alone
        np.testing.assert_array_equal(made(valued, inside).splits[scene], split)
