"""Which rows are held out and which clicks are read, against naive loops over an invented log."""

from __future__ import annotations

import numpy as np
import pytest

from iamm.dataset.log import LEFT_OUT, TEST, TRAIN, VALIDATION, Log, new_users_apart, scene_logs, sorted_log


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
    given = {"held_out": 1, "history": "scene", "new_users": False, "name": "toy", "seed": 0}
    return scene_logs(log, inside, **{**given, **changes})


@pytest.mark.parametrize("history", ["scene", "all", "others"])
@pytest.mark.parametrize("new_users", [False, True])
def test_histories_equal_a_naive_loop(log, inside, history, new_users):
    found = made(log, inside, history=history, new_users=new_users)
    splits = new_users_apart(log, inside, "toy", 0)
    for scene, rows in inside.items():
        read = {"scene": rows, "all": np.ones(330, dtype=bool), "others": ~rows}[history].copy()
        if new_users:
            read &= ~((splits["low"] > TRAIN) | (splits["high"] > TRAIN))
        past = found.histories[scene]
        histories = [
            past.clicks.item[end - length : end].tolist() for end, length in zip(past.end, past.length, strict=True)
        ]
        assert histories == [clicks_before(log, row, read) for row in rows.nonzero()[0]]
        assert found.logs[scene].item.tolist() == log.item[rows].tolist()


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
