"""A user's file with a log of interactions of users with items."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, OneOf, Seed, WholeNumber
from iamm.dataset.base import SPLITS, Dataset, random_generator
from iamm.dataset.behaviour import Sampling, behaviour_datasets
from iamm.dataset.log import TRAIN, Log, last_clicks_apart
from iamm.dataset.own import Part, Reading, Words, chosen_scenes, own_examples
from iamm.dataset.splitting import DRAWN, Unit, divided, split_named
from iamm.dataset.table_file import Format, Row, bad_row, value_of
from iamm.errors import BadDataError
from iamm.memory import require_memory

HeldOut = Annotated[str, OneOf(("users", "clicks"))]
ANSWERS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
"""Words that a label may have instead of a number."""
ROOM, OTHERS = 16, 5
"""Bytes of a number while tensors are made; numbers of an example beside its history and the ages in it."""
LARGEST = 2.0**53
"""Up to here, whole numbers are exact."""


class Interaction(NamedTuple):
    """A row of the file, with the split that its file or its column gives."""

    user: str
    item: str
    time: float
    clicked: bool
    scene: str
    split: str


class InteractionFileDataset(list[Dataset], Constrained):
    """Clicks of users on items, and items that they passed, from a user's file; each scene is a separate data set.

    A row is a click where there is no `label`, or where it is at least `click`. An example is an item of a row, or a
    drawn one, with the latest earlier clicks of its user in the scene. No user is in two splits that are drawn.

    Args:
        name: the name of the data set, and of its scene; several scenes are called `<name>_<scene>`.
        path: path of the file, relative to the current folder; `.gz` and `.xz` are unpacked.
        seed: seed of the splits, the negatives, and the users that `limit` selects.
        validation_path, test_path: files of the same format for these splits; None = drawn from `path`.
        format: csv, tsv or jsonl; None = by the file's name.
        delimiter: between the fields of a CSV; None = comma, semicolon, tab or bar, whichever its first line has most.
        encoding: the encoding of the files.
        user, item: the columns that name them.
        time: the column of seconds or dates (ISO 8601; UTC where they name no zone); None = rows stand in order.
        label: the column of a number, true or false; None = each row is a click.
        click: the least label of a click.
        scene: the column whose values are scenes; None = one scene.
        scenes: some of these values, in the order of the run; None = all, in alphabetical order.
        split: the column that names a row's split; None = held out as below.
        held_out: `users`, of whom each stands in one split, in all scenes; or the last `clicks` of each user over all
            scenes, one for test and the one before it for validation.
        validation, test: shares of the rows to draw for these splits, by users.
        limit: number of users to draw; None = all.
        clean: leave out of train rows that also stand in validation or test, and out of validation those of test.
        batch_size: candidates per step, of each scene.
        max_history: the largest number of a user's latest clicks in the scene that are read.
        negatives: items drawn for each click of train.
        candidates: length of each user's list in validation and test, filled up with negatives.

    Raises:
        ValueError: an invalid number, format or encoding; a scene that the file lacks; `clicks` held out
            although splits are given.
        MissingDataError, BadDataError: no such file; a malformed line; more data than memory holds.
    """

    provides = ({"name": "{name}", "kind": "behaviour", "task": "ranking"},)
    at_most: ClassVar = {("validation", "test"): 0.9}
    different = (("path", "validation_path"), ("path", "test_path"), ("validation_path", "test_path"))

    def __init__(
        self,
        *,
        name: str,
        path: str,
        seed: Seed,
        validation_path: str | None = None,
        test_path: str | None = None,
        format: Format | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        user: str = "user",
        item: str = "item",
        time: str | None = None,
        label: str | None = None,
        click: float = 1.0,
        scene: str | None = None,
        scenes: Words | None = None,
        split: str | None = None,
        held_out: HeldOut = "users",
        validation: Part = 0.1,
        test: Part = 0.1,
        limit: Count | None = None,
        clean: bool = False,
        batch_size: Count = 64,
        max_history: Count = 20,
        negatives: WholeNumber = 2,
        candidates: WholeNumber = 100,
    ) -> None:
        if held_out == "clicks" and (split or validation_path or test_path):
            raise ValueError("`held_out=clicks` goes without splits that are given. Found one: leave out either.")
        files = {DRAWN: path, "validation": validation_path, "test": test_path}
        columns = {"user": user, "item": item, "time": time, "label": label, "scene": scene, "split": split}
        reading = Reading(format, delimiter, encoding, limit=None)
        make = partial(interaction, columns, click)
        rows = own_examples(name, files, reading, seed, make, remedy="take a part of the file")
        rows, notices = complete(name, rows, timed=time is not None, scened=scene is not None)
        rows = of_some_users(rows, limit, random_generator(seed, name, "limit"))
        size = ROOM * len(rows) * (1 + negatives) * (2 * max_history + OTHERS)
        require_memory(f"{len(rows):,} rows of {path}", size, "take fewer users, limit=…, or a shorter max_history=…")
        if held_out == "users":
            generator = random_generator(seed, name)
            units = [Unit(row.split, "", row.user, row[:5]) for row in rows]
            parts, repeats = divided(name, units, validation=validation, test=test, clean=clean, generator=generator)
            numbers = sorted((row, number) for number, part in enumerate(SPLITS) for row in parts[part])
            rows, splits = [rows[row] for row, _ in numbers], np.array([number for _, number in numbers])
            notices += repeats
        else:
            splits = np.full(len(rows), TRAIN)
        log, items, order = log_of(rows, timed=time is not None)
        splits = last_clicks_apart(log) if held_out == "clicks" else splits[order]
        names, place = numbered([row.scene for row in rows])
        inside = {each: place[order] == names.index(each) for each in chosen_scenes(path, names, scenes)}
        super().__init__(
            behaviour_datasets(
                name,
                {each: log.rows(mask) for each, mask in inside.items()},
                {each: splits[mask] for each, mask in inside.items()},
                items,
                Sampling(seed, max_history, negatives, candidates),
                batch_size=batch_size,
                notices=tuple(notices),
            )
        )


def interaction(columns: Mapping[str, str | None], click: float, path: str, file_split: str, row: Row) -> Interaction:
    """Make an interaction of a row; without a column of times, all have the same time."""
    values = {key: value_of(path, row, key, column) for key, column in columns.items() if column is not None}
    time = seconds(path, values["time"], row.line) if "time" in values else 0.0
    clicked = "label" not in values or label_of(path, values["label"], row.line) >= click
    split = split_named(path, values["split"], row.line) if "split" in values and not file_split else file_split
    return Interaction(values["user"], values["item"], time, clicked, values.get("scene", ""), split)


def seconds(path: str, word: str, line: int) -> float:
    """Read seconds from a number, or from a date as the time since 1970."""
    try:
        time = float(word)
    except ValueError:
        try:
            date = datetime.fromisoformat(word.removesuffix("Z"))
        except ValueError as error:
            raise bad_row(
                path, "have seconds or a date (ISO 8601) in the column of times", repr(word[:30]), line
            ) from error
        time = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    if not abs(time) <= LARGEST:
        raise bad_row(path, "have finite times", repr(word[:30]), line)
    return time


def label_of(path: str, word: str, line: int) -> float:
    try:
        label = ANSWERS.get(word.lower())
        label = float(word) if label is None else label
    except ValueError as error:
        raise bad_row(path, "have a number, true or false in the column of labels", repr(word[:20]), line) from error
    if math.isnan(label):
        raise bad_row(path, "have a number, true or false in the column of labels", repr(word[:20]), line)
    return label


def complete(
    name: str, rows: Sequence[Interaction], *, timed: bool, scened: bool
) -> tuple[list[Interaction], list[str]]:
    """Select the rows with a user and an item, each once where they have times; return them with notices.

    Raises:
        BadDataError: there is none.
    """
    filled = [row for row in rows if row.user and row.item and (row.scene or not scened)]
    different = list(dict.fromkeys(filled)) if timed else filled
    if not different:
        raise BadDataError(f"{name} must have rows with a user and an item. Found none: give it some.")
    counts = {
        "lack a user, an item or a scene": len(rows) - len(filled),
        "stand there a second time": len(filled) - len(different),
    }
    total = f"of {len(rows):,} rows"
    return different, [f"{name}: {count:,} {total} {what} and are left out." for what, count in counts.items() if count]


def of_some_users(rows: Sequence[Interaction], limit: int | None, generator: np.random.Generator) -> list[Interaction]:
    users = sorted({row.user for row in rows})
    chosen = {users[place] for place in generator.permutation(len(users))[:limit]}
    return [row for row in rows if row.user in chosen]


def log_of(rows: Sequence[Interaction], *, timed: bool) -> tuple[Log, list[str], np.ndarray]:
    """Make a log; return it with a word for each item and the order of its rows.  # …, (N,)"""
    _, user = numbered([row.user for row in rows])
    items, item = numbered([row.item for row in rows])
    time, clicked = np.array([row.time for row in rows]), np.array([row.clicked for row in rows])
    order = np.lexsort((time, user))
    seconds = time[order].astype(np.int64) if timed else None
    return Log(user[order], item[order], clicked[order], seconds), ["_".join(name.split()) for name in items], order


def numbered(words: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Sort the different words; return them with the place of each word in them.  # …, (N,)"""
    names = sorted(set(words))
    place = {name: number for number, name in enumerate(names)}
    return names, np.array([place[word] for word in words])
