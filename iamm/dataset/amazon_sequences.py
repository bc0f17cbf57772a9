"""Sequences of purchases in three domains of a shop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed, WholeNumber
from iamm.dataset.base import Dataset
from iamm.dataset.behaviour import Sampling, behaviour_datasets
from iamm.dataset.log import Log, last_clicks_apart
from iamm.dataset.number_lines import number_lines, numbers
from iamm.errors import BadDataError

SCENES = ("beauty", "sports", "toys")
FILES = dict(zip(SCENES, ("Beauty", "Sports_and_Outdoors", "Toys_and_Games"), strict=True))
LINE = re.compile(rb"\d{1,9}(?: \d{1,9})+")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class AmazonSequencesDataset(list[Dataset], Constrained):
    """662,436 purchases in the domains beauty, sports and toys, from `data_dir/amazon-sequences/`.

    Each scene is a separate data set with separate users and items. A purchase is a click; passed items are unknown.
    The last click of a user is for test, the one before for validation.

    Args:
        data_dir: the folder of all data sets.
        seed: draws the negatives and the users that are evaluated.
        batch_size: candidates per step, of each scene.
        scenes: some of beauty, sports and toys.
        max_history: the largest number of a user's latest clicks that are read.
        negatives: items drawn for each click of train.
        candidates: length of each user's list in validation and test, a click and negatives.
        evaluated: number of users of each scene that are evaluated; None = all.
        train: number of candidates of each scene to train on; None = all.

    Raises:
        ValueError: an unknown scene; a number out of its range.
        MissingDataError, BadDataError: a file is missing or malformed.

    Source: McAuley et al. 2015, in the edition of Zhou et al. 2020 (5-core).
    """

    provides = ({"name": "amazon_sequences_{scene}", "kind": "behaviour", "task": "ranking"},)

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = SCENES,
        max_history: Count = 20,
        negatives: WholeNumber = 1,
        candidates: WholeNumber = 100,
        evaluated: Count | None = 1000,
        train: Count | None = None,
    ) -> None:
        sampling = Sampling(seed, max_history, negatives, candidates, evaluated, train)
        for scene in scenes:
            log, items = read_sequences(data_dir, scene)
            splits = {scene: last_clicks_apart(log)}
            self += behaviour_datasets("amazon_sequences", {scene: log}, splits, items, sampling, batch_size=batch_size)


def file_of(scene: str) -> str:
    return f"amazon-sequences/{FILES[scene]}.txt.gz"


def read_sequences(data_dir: str | None, scene: str) -> tuple[Log, list[str]]:
    """Read the log of a file, a user and items in the order of time per line, and each item's number in the file."""
    name = file_of(scene)
    lines = number_lines(data_dir, name, LINE, "have a user and items in each line, with blanks between")
    lengths = np.array([line.count(b" ") for line in lines])
    values = numbers(lines).astype(np.int64)
    first = np.cumsum(lengths + 1) - lengths - 1
    users = values[first]
    if len(np.unique(users)) < len(users):
        raise BadDataError(f"{name} must have each user once. Found one twice: get it again.")
    items, item = np.unique(np.delete(values, first), return_inverse=True)
    user = np.repeat(np.arange(len(users)), lengths)
    return Log(user, item, np.ones(len(item), dtype=bool)), [str(number) for number in items]
