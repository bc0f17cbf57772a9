"""Logs of what users did: which rows are for train, validation and test, and which of them a history holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

import numpy as np

from iamm.constraints import Number, OneOf
from iamm.dataset.base import random_generator

TRAIN, VALIDATION, TEST = range(3)
"""The split of a row, as a number: its place in `SPLITS`."""
LEFT_OUT = -1
"""The split of a row that is in none."""
HISTORIES = ("scene", "all", "others", "whole", "stranger", "oracle")
HistoryOf = Annotated[str, OneOf(HISTORIES)]
NEW = 0.2
"""Share of the users who are new in a scene."""
FOLDS = 5
"""Folds of the users, each of whom is new in every scene once over all folds."""
FoldOf = Annotated[int, Number(0, FOLDS - 1, whole=True)]


@dataclass(frozen=True, eq=False)
class Log:
    """A log of user actions in one scene, one row each, sorted by user and then by time.

    Shapes:
        user: (N,) int64, from 0 on, the same number in every scene of a data set
        item: (N,) int64, from 0 on
        clicked: (N,) bool; False where the user was shown the item and passed
        time: (N,) int64 seconds; None where only the order is known
        value: (N,) above 0, what the item was worth to the user, such as its stars; None: histories hold clicks alone,
            else clicked and passed items
    """

    user: np.ndarray
    item: np.ndarray
    clicked: np.ndarray
    time: np.ndarray | None = None
    value: np.ndarray | None = None

    @property
    def entries(self) -> np.ndarray:
        """The rows that histories hold.  # (N,) bool"""
        return self.clicked if self.value is None else np.ones_like(self.clicked)

    def rows(self, rows: np.ndarray) -> Log:
        """Select rows by a mask, or by their numbers."""
        time, value = (None if column is None else column[rows] for column in (self.time, self.value))
        return Log(self.user[rows], self.item[rows], self.clicked[rows], time, value)

    def history(self, read: np.ndarray | None = None, of: np.ndarray | None = None) -> History:
        """Give the entries before each row.

        Args:
            read: (N,) bool, the rows whose entries are read; None = all.
            of: (N,) bool, the rows that the result is about; None = all.
        """
        entries = self.entries if read is None else self.entries & read
        end = np.cumsum(entries) - entries
        length = end - end[np.searchsorted(self.user, self.user)]
        return History(self.rows(entries), *((end, length) if of is None else (end[of], length[of])))

    def whole_history(self, read: np.ndarray, of: np.ndarray, *, next_user: bool) -> History:
        """Give all entries of each row's user, earlier and later ones, or those of the next user.

        Where some of the rows `of` are read, a history of the row's own user leaves out one entry, so that its length
        is the same for all rows of the user: the row itself, or where the row is none the entry behind it.

        Args:
            read: (N,) bool, the rows whose entries are read.
            of: (N,) bool, the rows that the result is about.
            next_user: whose entries they are.
        """
        entries = self.entries & read
        _, person = np.unique(self.user, return_inverse=True)
        count = np.bincount(person, entries).astype(np.int64)
        whose = ((person + next_user) % len(count))[of]
        end, length, behind = np.cumsum(count)[whose], count[whose], (np.cumsum(entries) - entries)[of]
        if next_user:
            return History(self.rows(entries), end, length)
        if not (entries & of).any():
            return History(self.rows(entries), end, length, around=behind)
        return History(self.rows(entries), end, np.maximum(length - 1, 0), np.minimum(behind, end - 1), behind)

    def earlier(self) -> np.ndarray:
        """Count the clicks that each row's user made before it.  # (N,)"""
        return replace(self, value=None).history().length


@dataclass(frozen=True, eq=False)
class History:
    """The entries of N rows: the last ones of `entries[:end]` but for `left_out`, as many as `length` has.

    Of more than are read, those in the middle of which `around` is; where that is None, the latest.

    Shapes:
        entries: a log
        end: (N,) a number of entries, of all users
        length: (N,) how many of them the history holds
        left_out: (N,) the number of one entry that it does not hold; None where it holds all
        around: (N,) how many entries of all users stand before the row; None where they all do
    """

    entries: Log
    end: np.ndarray
    length: np.ndarray
    left_out: np.ndarray | None = None
    around: np.ndarray | None = None

    def read(self, rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of `count` entries of E rows, the oldest first, and which places have one.  # (E, T)"""
        end, length = self.end[rows], np.minimum(self.length[rows], count)
        if self.around is not None:
            end = np.clip(self.around[rows] + (count + 1) // 2, end - self.length[rows] + length, end)
        end, length = end[:, None], length[:, None]
        place = np.arange(length.max(initial=1))  # (T,)
        number = end - length + place
        if self.left_out is not None:
            number -= number <= self.left_out[rows][:, None]
        return np.where(place < length, number, 0), place < length


def sorted_log(
    user: np.ndarray, item: np.ndarray, clicked: np.ndarray, time: np.ndarray, value: np.ndarray | None = None
) -> Log:
    """Sort rows into a log; rows of one user and second stay in their order."""
    return Log(user, item, clicked, time, value).rows(np.lexsort((time, user)))


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
    """Of each scene: the log, the split of each row (N,), and the history of each row."""

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
    fold: int | None = None,
) -> SceneLogs:
    """Divide a log into those of scenes.

    Args:
        log: the log of all scenes.
        inside: of each scene, the rows that belong to it, (N,) bool; a row may belong to several.
        held_out: number of a user's last clicks over all scenes for test, and of those before them for validation.
        history: the entries that a row's history holds: see `scene_history`.
        new_users: holds out all rows of some users in each scene, in place of last clicks: see `new_users_apart`.
        known: the scenes whose entries other scenes read; None = all.
        name, seed: of the data set; they draw these users.
        fold: of these users, in which the known scenes come first, so that they have the same users where a target
            stands beside them; None draws them.
    """
    if new_users:
        first = sorted(inside, key=lambda scene: known is not None and scene not in known)
        splits = new_users_apart(log, {scene: inside[scene] for scene in first}, name, seed, fold)
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
    """Give the entries that the histories of a scene's rows hold.

    Args:
        log: the log of all scenes.
        rows: (N,) bool, the rows of the scene.
        known: (N,) bool, those of the scenes that others read.
        hidden: (N,) bool, those that are held out: only an oracle's history holds them, and only in its own scene.
        history: the earlier entries in the same `scene`, in `all` scenes or in the `others`; the `whole` of the user's
            entries in the others, later ones, too; as a control, those of another user, a `stranger`; or, as an upper
            bound, the whole and all other entries of the scene, held-out ones, too (`oracle`). The last three are empty
            where those of the others are, so that the examples are the same.
    """
    others = known & ~rows & ~hidden
    earlier = {"scene": rows & ~hidden, "all": (known | rows) & ~hidden, "others": others}
    if history in earlier:
        return log.history(earlier[history], rows)
    read = others | rows if history == "oracle" else others
    whole = log.whole_history(read, rows, next_user=history == "stranger")
    return replace(whole, length=whole.length * (log.history(others, rows).length > 0))


def new_users_apart(
    log: Log, inside: Mapping[str, np.ndarray], name: str, seed: int, fold: int | None = None
) -> dict[str, np.ndarray]:
    """Split by users who are new in a scene: a tenth for validation and a tenth for test, drawn scene by scene.

    With a fold, a fifth is for test and a tenth for validation. The users are divided once for all seeds, and a scene
    has those of a fold whom the scene before it has in the next one: of five scenes, each user is tested in one in each
    fold, and in each over the folds.

    All of their rows in the scene are held out, and left out of other scenes to which they also belong. All other rows
    are for train. A user who is new in all scenes has no history to read, and so no example.  # (N,) for each scene
    """
    users, splits = np.unique(log.user), {}
    for number, (scene, rows) in enumerate(inside.items()):
        if fold is None:
            new = random_generator(seed, name, scene, "new users").permutation(users)[: round(NEW * len(users))]
            validation, test = new[1::2], new[::2]
        else:
            drawn = random_generator(0, name, "folds").permutation(users)
            turn = (np.arange(len(users)) - 2 * (fold + number)) % (2 * FOLDS)
            validation, test = drawn[turn == 2], drawn[turn < 2]
        parts = np.isin(log.user, test), np.isin(log.user, validation)
        splits[scene] = np.select([rows & part for part in parts], [TEST, VALIDATION], TRAIN)
    held = np.any([split != TRAIN for split in splits.values()], axis=0)
    return {scene: np.where(held & (split == TRAIN), LEFT_OUT, split) for scene, split in splits.items()}
