"""The division of a user's examples into train, validation and test."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from iamm.dataset.base import SPLITS
from iamm.dataset.table_file import bad_row
from iamm.errors import BadDataError

T = TypeVar("T")
DRAWN = ""
"""The placeholder for the split of an example that is to be drawn."""
WORDS: Mapping[str, str] = {
    **{"": DRAWN, "train": "train", "training": "train", "test": "test", "testing": "test"},
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
}
"""Names of a split in a column, or of its folder → the split."""


class Unit(NamedTuple):
    """The properties of an example that decide its split.

    Args:
        split: the split that a file or a column gives, or `DRAWN`.
        stratum: for example its class, of which each split gets its share.
        group: examples of one group that are drawn get the same split.
        content: a key that is equal for equal examples.
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
    """Divide examples into splits; return the rows of each split, in their order, and notices.

    Whole groups are drawn, stratum by stratum in a random order: each goes to the split that is furthest below its
    share of all examples drawn so far, and the first group of a stratum to train. Where validation or test examples
    are given, none are drawn for that split.

    Args:
        name: the name of the data set.
        units: the examples.
        validation, test: shares of the examples that are drawn.
        clean: leave out of train what also stands in validation or test, and out of validation what stands in test.
        generator: draws the order.
    """
    given_splits = {unit.split for unit in units}
    shares = {
        split: share for split, share in (("validation", validation), ("test", test)) if split not in given_splits
    }
    splits = [unit.split for unit in units]
    for row, split in drawn_splits(units, {"train": 1 - sum(shares.values()), **shares}, generator):
        splits[row] = split
    repeats = repeated(splits, [unit.content for unit in units])
    rows: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row, split in enumerate(splits):
        if not (clean and row in repeats):
            rows[split].append(row)
    what = "are left out" if clean else "stay; clean=true leaves them out"
    count = (
        f"{name}: {len(repeats):,} of {len(units):,} examples also stand in a later split (of train, validation, test)"
    )
    return rows, [f"{count} and {what}."] if repeats else []


def require_each(name: str, rows: Mapping[str, Sequence[int]]) -> None:
    """Raises:
    BadDataError: a split without an example.
    """
    for split, part in rows.items():
        if not part:
            raise BadDataError(f"Each split needs an example. Found none in {name}/{split}: give it more data.")


def drawn_splits(
    units: Sequence[Unit], shares: Mapping[str, float], generator: np.random.Generator
) -> Iterator[tuple[int, str]]:
    """Yield each example that has no given split, or is given to train, with its split."""
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
            missing = {split: share * total - count[split] for split, share in shares.items()}
            split = max(missing, key=missing.__getitem__) if number else "train"
            count[split] += len(rows)
            yield from ((row, split) for row in rows)


def repeated(splits: Sequence[str], contents: Sequence[Hashable]) -> set[int]:
    """Give the rows whose content is also in a later split."""
    held: dict[str, set[Hashable]] = {split: set() for split in SPLITS}
    for split, content in zip(splits, contents, strict=True):
        held[split].add(content)
    later = {"train": held["validation"] | held["test"], "validation": held["test"], "test": set()}
    return {row for row, split in enumerate(splits) if contents[row] in later[split]}


def sampled(examples: Iterable[T], limit: int | None, generator: np.random.Generator) -> list[T]:
    """Draw at most `limit` examples uniformly, in their order, without holding more in memory.

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
