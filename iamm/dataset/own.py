"""What data sets of one's own have in common: rows within memory, and scenes that a column names."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple, TypeVar

from iamm.constraints import ListOf, Number, Text
from iamm.dataset.base import random_generator
from iamm.dataset.splitting import sampled
from iamm.dataset.table_file import Row, read_rows
from iamm.errors import BadDataError, nearest
from iamm.memory import require_memory
from iamm.names import plain_name

T = TypeVar("T")
Part = Annotated[float, Number(0, 1, above=True, below=True)]
"""A share that leaves something on both sides."""
Words = Annotated[Sequence[str], ListOf(Text(), different=True)]
FACTOR = 35
"""Bytes of memory that a byte of a file takes, until its rows are tensors: measured on rows of 33 bytes, 12 on rows of
360."""
SOME_ROWS = "take some rows with limit=…, or a part of the file"
MOST_SCENES = 200
"""Each has a head and an encoder: more are no scenes, but a column of something else."""


class Reading(NamedTuple):
    """How files are read, as `read_rows` has it; `limit`: rows of each that are drawn, None for all."""

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
    """An example of each row of some files, or of those that a limit leaves.

    Args:
        name: of the data set.
        files: by the split that a file gives; None where there is none.
        reading: of each.
        seed: draws what a limit leaves.
        make: from a path, its split and a row.
        remedy: where memory cannot hold them.

    Raises:
        MissingDataError, BadDataError: as `read_rows`; more than memory holds.
        ValueError: an unknown encoding.
    """
    found: list[T] = []
    for split, path in files.items():
        if path is not None:
            if reading.limit is None:
                require_room(path, remedy=remedy)
            rows = read_rows(path, format=reading.format, delimiter=reading.delimiter, encoding=reading.encoding)
            made = (make(path, split, row) for row in rows)
            found += sampled(made, reading.limit, random_generator(seed, name, split, "limit"))
    return found


def require_room(*paths: str, remedy: str = SOME_ROWS) -> None:
    """Raises:
    BadDataError: files that memory cannot hold, once their rows are tensors.
    """
    with suppress(OSError):  # which reading says better
        size = sum(os.stat(path).st_size for path in paths)
        require_memory(" and ".join(paths), FACTOR * size, remedy)


def chosen_scenes(path: str, there: Collection[str], scenes: Sequence[str] | None) -> list[str]:
    """The scenes of a run, of those that a column has: all by the alphabet, or those that are named.

    Raises:
        ValueError: one that the column has not.
        BadDataError: too many, or two that differ by signs alone.
    """
    for scene in scenes or ():
        if scene not in there:
            raise ValueError(
                f"`scenes` must be values of their column in {path}. Found {scene}. {nearest(scene, there)}"
            )
    chosen = sorted(there) if scenes is None else list(scenes)
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
