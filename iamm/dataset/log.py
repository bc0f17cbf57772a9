"""Logs of what users did: which rows are for train, validation and test, and which clicks a history holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np

from iamm.constraints import OneOf
from iamm.dataset.base import random_generator

TRAIN, VALIDATION, TEST = range(3)
"""The split of a row, as a number: its place in `SPLITS`."""
LEFT_OUT = -1
"""The split of a row that is in none."""
HISTORIES = ("scene", "all", "others", "stranger", "oracle")
HistoryOf = Annotated[str, OneOf(HISTORIES)]
NEW = 0.2
"""Share of the users who are new in a scene."""


@dataclass(frozen=True, eq=False)
class Log:
    """A log of user actions in one scene, one row each, sorted by user and then by time.

    Shapes:
        user: (N,) int64, from 0 on, the same number in every scene of a data set
        item: (N,) int64, from 0 on
        clicked: (N,) bool; False where the user was shown the item and passed
        time: (N,) int64 seconds; None where only the order is known
    """

    user: np.ndarray
    item: np.ndarray
    clicked: np.ndarray
    time: np.ndarray | None = None

    def rows(self, rows: np.ndarray) -> Log:
        """Select rows by a mask."""
        return Log(self.user[rows], self.item[rows], self.clicked[rows], None if self.time is None else self.time[rows])

    def history(self, read: np.ndarray | None = None, of: np.ndarray | None = None) -> History:
        """Give the clicks before each row.

        Args:
            read: (N,) bool, the rows whose clicks are read; None = all.
            of: (N,) bool, the rows that the result is about; None = all.
        """
        clicked = self.clicked if read is None else self.clicked & read
        end = np.cumsum(clicked) - clicked
        length = end - end[np.searchsorted(self.user, self.user)]
        return History(self.rows(clicked), *((end, length) if of is None else (end[of], length[of])))

    def whole_history(self, read: np.ndarray, of: np.ndarray, *, next_user: bool) -> History:
        """Give all clicks of each row's user, earlier and later ones, or those of the next user.

        A history of the row's own user leaves out one click, so that its length is the same for all rows of the user:
        the row itself, or where the row is none the click behind it.

        Args:
            read: (N,) bool, the rows whose clicks are read.
            of: (N,) bool, the rows that the result is about.
            next_user: whose clicks they are.
        """
        clicked = self.clicked & read
        _, person = np.unique(self.user, return_inverse=True)
        count = np.bincount(person, clicked).astype(np.int64)
        whose = ((person + next_user) % len(count))[of]
        end, length = np.cumsum(count)[whose], count[whose]
        if next_user:
            return History(self.rows(clicked), end, length)
        behind = (np.cumsum(clicked) - clicked)[of]
        return History(self.rows(clicked), end, np.maximum(length - 1, 0), np.minimum(behind, end - 1))

    def earlier(self) -> np.ndarray:
        """Count the clicks that each row's user made before it.  # (N,)"""
        return self.history().length


@dataclass(frozen=True, eq=False)
class History:
    """The clicks of N rows: the last ones of `clicks[:end]` but for `left_out`, as many as `length` has.

    Shapes:
        clicks: a log
        end: (N,) a number of clicks, of all users
        length: (N,) how many of them the history holds
        left_out: (N,) the number of one click that it does not hold; None where it holds all
    """

    clicks: Log
    end: np.ndarray
    length: np.ndarray
    left_out: np.ndarray | None = None

    def latest(self, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the last `count` clicks of E rows, the oldest first, and which places have one.  # (E, T)"""
        length = np.minimum(self.length[rows], count)[:, None]
        place = np.arange(length.max(initial=1))  # (T,)
        number = self.end[rows][:, None] - length + place
        if self.left_out is not None:
            number -= number <= self.left_out[rows][:, None]
        return np.where(place < length, number, 0), place < length


def sorted_log(user: np.ndarray, item: np.ndarray, clicked: np.ndarray, time: np.ndarray) -> Log:
    """Sort rows into a log; rows of one user and second stay in their order."""
    order = np.lexsort((time, user))
    return Log(user[order], item[order], clicked[order], time[order])


def last_clicks_apart(log: Log, count: int = 1) -> np.ndarray:
    """Split by time: a user's last `count` clicks are for test, as many before them for validation, the earlier ones
    for train.

    An item that a user passed belongs to the split of the user's next click, or to test after the last one. All rows
    of users without a click for train belong to train.  # (N,)
    """
    clicks = np.bincount(log.user, log.clicked).astype(np.int64)[log.user]
    remaining = clicks - log.earlier()  # from this row on
    return np.select([clicks <= 2 * count, remaining > 2 * count, remaining > count], [TRAIN, TRAIN, VALIDATION], TEST)


class SceneLogs(NamedTuple):
    """Of each scene: the log, the split of each row (N,), and the clicks before each row."""

    logs: Mapping[str, Log]
    splits: Mapping[str, np.ndarray]
    histories: Mapping[str, History]


def scene_logs(
    log: Log,
    inside: Mapping[str, np.ndarray],
    *,
    held_out: int,
    history: str,
    new_users: bool,
    known: Collection[str] | None,
    name: str,
    seed: int,
) -> SceneLogs:
    """Divide a log into those of scenes.

    Args:
        log: the log of all scenes.
        inside: of each scene, the rows that belong to it, (N,) bool; a row may belong to several.
        held_out: number of a user's last clicks over all scenes for test, and of those before them for validation.
        history: the clicks that a row's history holds: see `scene_history`.
        new_users: holds out all rows of some users in each scene, in place of last clicks: see `new_users_apart`.
        known: the scenes whose clicks other scenes read; None = all.
        name, seed: of the data set; they draw these users.
    """
    if new_users:
        splits = new_users_apart(log, inside, name, seed)
        hidden = np.any([split > TRAIN for split in splits.values()], axis=0)
    else:
        splits = dict.fromkeys(inside, last_clicks_apart(log, held_out))
        hidden = np.zeros(len(log.user), dtype=bool)
    read = np.any([rows for scene, rows in inside.items() if known is None or scene in known], axis=0)
    return SceneLogs(
        {scene: log.rows(rows) for scene, rows in inside.items()},
        {scene: splits[scene][rows] for scene, rows in inside.items()},
        {scene: scene_history(log, rows, read, hidden, history) for scene, rows in inside.items()},
    )


def scene_history(log: Log, rows: np.ndarray, known: np.ndarray, hidden: np.ndarray, history: str) -> History:
    """Give the clicks that the histories of a scene's rows hold.

    Args:
        log: the log of all scenes.
        rows: (N,) bool, the rows of the scene.
        known: (N,) bool, those of the scenes that others read.
        hidden: (N,) bool, those that are held out, and that no history but an oracle's holds.
        history: the earlier clicks in the same `scene`, in `all` scenes or in the `others`; as a control, all clicks
            of another user, a `stranger`, in the others; or, as an upper bound, all other clicks of the user in all
            scenes, later and held-out ones, too (`oracle`). The histories of a control and of a bound are empty where
            those of the others are, so that the examples are the same.
    """
    others = known & ~rows & ~hidden
    if history in ("stranger", "oracle"):
        stranger = history == "stranger"
        whole = log.whole_history(others if stranger else known | rows, rows, next_user=stranger)
        return replace(whole, length=whole.length * (log.history(others, rows).length > 0))
    return log.history({"scene": rows & ~hidden, "all": (known | rows) & ~hidden, "others": others}[history], rows)


def new_users_apart(log: Log, inside: Mapping[str, np.ndarray], name: str, seed: int) -> dict[str, np.ndarray]:
    """Split by users who are new in a scene: a tenth for validation and a tenth for test, drawn scene by scene.

    All of their rows in the scene are held out, and left out of other scenes to which they also belong. All other rows
    are for train. A user who is new in all scenes has no history to read, and so no example.  # (N,) for each scene
    """
    users, splits = np.unique(log.user), {}
    for scene, rows in inside.items():
        new = random_generator(seed, name, scene, "new users").permutation(users)[: round(NEW * len(users))]
        parts = np.isin(log.user, new[::2]), np.isin(log.user, new[1::2])
        splits[scene] = np.select([rows & part for part in parts], [TEST, VALIDATION], TRAIN)
    held = np.any([split != TRAIN for split in splits.values()], axis=0)
    return {scene: np.where(held & (split == TRAIN), LEFT_OUT, split) for scene, split in splits.items()}
