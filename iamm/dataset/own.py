"""Functions that data sets of a user's files share: reading within memory, and scenes that a column names."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple, TypeVar

from iamm.constraints import ListOf, Number, Text
from iamm.dataset.base import random_generator
from iamm.dataset.splitting import sampled
from iamm.dataset.table_file import Row, bad_row, read_rows
from iamm.errors import BadDataError, nearest
from iamm.memory import require_memory
from iamm.names import plain_name

T = TypeVar("T")
Part = Annotated[float, Number(0, 1, above=True, below=True)]
"""A share above 0 and below 1."""
Words = Annotated[Sequence[str], ListOf(Text(), different=True)]
FACTOR = 35
"""Bytes of memory that a byte of a file takes, until its rows are tensors: measured on rows of 33 bytes, 12 on rows of
360."""
SOME_ROWS = "take some rows with limit=…, or a part of the file"
MOST_SCENES = 200
"""The largest number of scenes of a file; with more, the column is not one of scenes."""


LARGEST_NUMBER = 1e30
"""The largest size of a target, whose square any float holds."""


class Reading(NamedTuple):
    """Arguments of `read_rows`, and `limit`, the number of rows to draw from each file (None: all)."""

    format: str | None
    delimiter: str | None
    encoding: str
    limit: int | None


def own_examples(
    name: str,
    files: Mapping[str, str | None],
    reading: Reading,
    seed: int,
    make: Callable[[str, str, Row], T],
    remedy: str = SOME_ROWS,
) -> list[T]:
    """Make an example of each row of some files, or of the rows that a limit selects.

    Args:
        name: the name of the data set.
        files: split → path of its file, or None.
        reading: how each file is read.
        seed: seed of the rows that a limit selects.
        make: makes an example from a path, its split and a row.
        remedy: the advice if memory cannot hold them.

    Raises:
        MissingDataError, BadDataError: as `read_rows`; more data than memory holds.
        ValueError: an unknown encoding.
    """
    examples: list[T] = []
    for split, path in files.items():
        if path is not None:
            if reading.limit is None:
                require_room(path, remedy=remedy)
            rows = read_rows(path, format=reading.format, delimiter=reading.delimiter, encoding=reading.encoding)
            made = (make(path, split, row) for row in rows)
            examples += sampled(made, reading.limit, random_generator(seed, name, split, "limit"))
    return examples


def require_number(path: str, word: str, line: int) -> None:
    """Raises:
    BadDataError: the word, the target of a regression, is no number, not finite, or too large.
    """
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not abs(number) <= LARGEST_NUMBER:
        rule = f"have numbers, of at most {LARGEST_NUMBER:g} in size, in the column that `number` names"
        raise bad_row(path, rule, repr(word[:20]), line)


def require_different(scene: str, numbers: Collection[float]) -> None:
    """Raises:
    BadDataError: all numbers of training are equal.
    """
    if len(set(numbers)) == 1:
        raise BadDataError(
            f"A regression has numbers that differ. Found only {min(numbers):g} in {scene}/train: name the column that "
            "holds them."
        )


def require_room(*paths: str, remedy: str = SOME_ROWS) -> None:
    """Raises:
    BadDataError: memory cannot hold the files as tensors.
    """
    with suppress(OSError):  # reading gives the better message
        size = sum(os.stat(path).st_size for path in paths)
        require_memory(" and ".join(paths), FACTOR * size, remedy)


def chosen_scenes(path: str, available: Collection[str], scenes: Sequence[str] | None) -> list[str]:
    """Choose the scenes of a run from the values of a column: all in alphabetical order, or those that are named.

    Raises:
        ValueError: a scene that the column lacks, or no column.
        BadDataError: too many, or two that differ only in characters that names leave out.
    """
    if scenes and set(available) == {""}:
        raise ValueError("`scenes` needs the column that `scene` names. Found none: add scene=….")
    for scene in scenes or ():
        if scene not in available:
            raise ValueError(
                f"`scenes` must be values of their column in {path}. Found {scene}. {nearest(scene, available)}"
            )
    chosen = sorted(available) if scenes is None else list(scenes)
    if len(chosen) > MOST_SCENES:
        raise BadDataError(
            f"A run has at most {MOST_SCENES} scenes of one file. Found {len(chosen):,} in {path}: name some in "
            "scenes=…, or another column."
        )
    names = dict[str, str]()
    for scene in chosen:
        other = names.setdefault(plain_name(scene), scene)
        if other != scene:
            raise BadDataError(f"Scenes must differ in letters or digits. Found {other!r} and {scene!r} in {path}.")
    return chosen
