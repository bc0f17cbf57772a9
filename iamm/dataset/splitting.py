"""Examples of one's own, divided into train, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from iamm.dataset.base import SPLITS
from iamm.dataset.table_file import bad_row

T = TypeVar("T")
DRAWN = ""
"""The split of an example for which none is given."""
WORDS: Mapping[str, str] = {
    **{"": DRAWN, "train": "train", "training": "train", "test": "test", "testing": "test"},
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
"""What a column, or a folder, may call each split."""


class Unit(NamedTuple):
    """What splitting must know of an example.

    Args:
        split: that a file or a column gives.
        stratum: its class, say, of which each split gets its share.
        group: all examples of one stand in one split, if they are drawn.
        content: what makes two examples the same.
    """

    split: str
    stratum: Hashable
    group: Hashable
    content: Hashable


def split_named(path: str, word: str, line: int) -> str:
    """Raises:
    BadDataError: the word names no split.
    """
    if word.lower() not in WORDS:
        raise bad_row(path, f"name one of {', '.join(SPLITS)} in the column of splits", repr(word[:20]), line)
    return WORDS[word.lower()]


def divided(
    name: str, units: Sequence[Unit], *, validation: float, test: float, clean: bool, generator: np.random.Generator
) -> tuple[dict[str, list[int]], list[str]]:
    """The rows of each split, in their order, and what a user should know of them.

    Whole groups are drawn, stratum by stratum in a random order: each goes where most is lacking of its share of all
    that were drawn so far, and the first of a stratum to train. Where validation or test examples are given, none are
    drawn for that split.

    Args:
        name: of the data set.
        units: the examples.
        validation, test: shares of the examples that are drawn.
        clean: leave out of train what also stands in validation or test, and out of validation what stands in test.
        generator: of the order.
    """
    given = {unit.split for unit in units}
    shares = {split: share for split, share in (("validation", validation), ("test", test)) if split not in given}
    splits = [unit.split for unit in units]
    for row, split in drawn(units, {"train": 1 - sum(shares.values()), **shares}, generator):
        splits[row] = split
    again = repeated(splits, [unit.content for unit in units])
    rows: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row, split in enumerate(splits):
        if not (clean and row in again):
            rows[split].append(row)
    what = "are left out" if clean else "stay; clean=true leaves them out"
    said = f"{name}: {len(again):,} of {len(units):,} examples also stand in a later split (of train, validation, test)"
    return rows, [f"{said} and {what}."] if again else []


def drawn(
    units: Sequence[Unit], shares: Mapping[str, float], generator: np.random.Generator
) -> Iterator[tuple[int, str]]:
    """Each example without a given split, or given to train, and its split."""
    groups = defaultdict[Hashable, list[int]](list)
    for row, unit in enumerate(units):
        if unit.split in (DRAWN, "train"):
            groups[unit.group].append(row)
    strata = defaultdict[Hashable, list[list[int]]](list)
    for rows in groups.values():
        strata[units[rows[0]].stratum].append(rows)
    total, count = 0, dict.fromkeys(shares, 0)
    for stratum in strata.values():
        for number, place in enumerate(generator.permutation(len(stratum))):
            rows = stratum[place]
            total += len(rows)
            lacking = {split: share * total - count[split] for split, share in shares.items()}
            split = max(lacking, key=lacking.__getitem__) if number else "train"
            count[split] += len(rows)
            yield from ((row, split) for row in rows)


def repeated(splits: Sequence[str], contents: Sequence[Hashable]) -> set[int]:
    """Rows whose content also stands in a later split."""
    held: dict[str, set[Hashable]] = {split: set() for split in SPLITS}
    for split, content in zip(splits, contents, strict=True):
        held[split].add(content)
    later = {"train": held["validation"] | held["test"], "validation": held["test"], "test": set()}
    return {row for row, split in enumerate(splits) if contents[row] in later[split]}


def sampled(examples: Iterable[T], limit: int | None, generator: np.random.Generator) -> list[T]:
    """At most `limit` of them, in their order, each as likely as another; no more are held at a time.

    Source: Vitter 1985, algorithm R.
    """
    if limit is None:
        return list(examples)
    held: list[tuple[int, T]] = []
    for number, example in enumerate(examples):
        if number < limit:
            held.append((number, example))
        elif (place := int(generator.integers(number + 1))) < limit:
            held[place] = number, example
    return [example for _, example in sorted(held, key=lambda pair: pair[0])]
