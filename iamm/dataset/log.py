"""Logs of what users did: which rows are for train, validation and test, and which clicks a history holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from iamm.constraints import OneOf
from iamm.dataset.base import random_generator

TRAIN, VALIDATION, TEST = range(3)
"""The split of a row, as a number: its place in `SPLITS`."""
LEFT_OUT = -1
"""The split of a row that is in none."""
HISTORIES = ("scene", "all", "others")
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

    def earlier(self) -> np.ndarray:
        """Count the clicks that each row's user made before it.  # (N,)"""
        return self.history().length


@dataclass(frozen=True, eq=False)
class History:
    """The clicks before each of N rows: the last ones of `clicks[:end]`, as many as `length` has.

    Shapes:
        clicks: a log
        end: (N,) the number of clicks, of all users, in the rows above
        length: (N,) how many of them the row's user made
    """

    clicks: Log
    end: np.ndarray
    length: np.ndarray


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
    log: Log, inside: Mapping[str, np.ndarray], *, held_out: int, history: str, new_users: bool, name: str, seed: int
) -> SceneLogs:
    """Divide a log into those of scenes.

    Args:
        log: the log of all scenes.
        inside: of each scene, the rows that belong to it, (N,) bool; a row may belong to several.
        held_out: number of a user's last clicks over all scenes for test, and of those before them for validation.
        history: the clicks that a row's history holds: those in its `scene`, in `all` scenes or in the `others`.
        new_users: holds out all rows of some users in each scene, in place of last clicks: see `new_users_apart`.
        name, seed: of the data set; they draw these users.
    """
    if new_users:
        splits = new_users_apart(log, inside, name, seed)
        hidden = np.any([split > TRAIN for split in splits.values()], axis=0)
    else:
        splits = dict.fromkeys(inside, last_clicks_apart(log, held_out))
        hidden = np.zeros(len(log.user), dtype=bool)
    read = {
        scene: {"scene": rows, "all": np.ones_like(rows), "others": ~rows}[history] & ~hidden
        for scene, rows in inside.items()
    }
    return SceneLogs(
        {scene: log.rows(rows) for scene, rows in inside.items()},
        {scene: splits[scene][rows] for scene, rows in inside.items()},
        {scene: log.history(read[scene], rows) for scene, rows in inside.items()},
    )


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
