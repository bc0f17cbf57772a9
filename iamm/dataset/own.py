"""What data sets of one's own have in common: rows within memory, and scenes that a column names."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Annotated, NamedTuple

import numpy as np

from iamm.constraints import ListOf, Number, Text
from iamm.dataset.splitting import sampled
from iamm.dataset.table_file import Row, read_rows
from iamm.errors import BadDataError, nearest
from iamm.memory import require_memory
from iamm.names import plain_name

Part = Annotated[float, Number(0, 1, above=True, below=True)]
"""A share that leaves something on both sides."""
Words = Annotated[Sequence[str], ListOf(Text(), different=True)]
FACTOR = 20
"""Bytes of memory that a byte of a file takes at most, until its rows are tensors."""
MOST_SCENES = 200
"""Each has a head and an encoder: more are no scenes, but a column of something else."""


class Reading(NamedTuple):
    """How files are read, as `read_rows` has it; `limit`: rows of each that are drawn, None for all."""

    format: str | None
    delimiter: str
    encoding: str
    limit: int | None


def own_rows(path: str, reading: Reading, generator: np.random.Generator) -> list[Row]:
    """The rows of a file, or some of them.

    Raises:
        MissingDataError, BadDataError: as `read_rows`; more than memory holds.
        ValueError: an unknown encoding.
    """
    if reading.limit is None:
        require_room(path)
    rows = read_rows(path, format=reading.format, delimiter=reading.delimiter, encoding=reading.encoding)
    return sampled(rows, reading.limit, generator)


def require_room(*paths: str, remedy: str = "take some rows with limit=…, or a part of the file") -> None:
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
