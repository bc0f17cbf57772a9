"""Purchases in pairs of domains of a shop that share users."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed, WholeNumber
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.behaviour import Sampling, behaviour_datasets
from iamm.dataset.log import Log, last_clicks_apart
from iamm.dataset.number_lines import number_lines, numbers
from iamm.errors import BadDataError

SCENES = ("game", "video", "cloth", "sport")
FOLDERS = dict(zip(SCENES, ("game_video", "video_game", "cloth_sport", "sport_cloth"), strict=True))
"""A folder has the purchases of the domain that its name begins with."""
LINE = re.compile(rb"\d{1,9}\t\d{1,9}\t1")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class AmazonCdrDataset(list[Dataset], Constrained):
    """681,252 purchases in the domains game and video, which share 2,179 users, and cloth and sport, which share 9,828,
    from `data_dir/amazon-cdr/`.

    Each scene is a separate data set with separate items. A purchase is a click; passed items are unknown. The files
    have no times: the seed draws the order of a user's clicks, of which the last is for test and the one before for
    validation. (The files also have a split for users without a history, which is not read.)

    Args:
        data_dir: the folder of all data sets.
        seed: draws the order, the negatives and the users that are evaluated.
        batch_size: candidates per step, of each scene.
        scenes: some of game, video, cloth and sport; a user has the same number in both scenes of a pair.
        max_history: the largest number of a user's clicks that are read.
        negatives: items drawn for each click of train.
        candidates: length of each user's list in validation and test, a click and negatives.
        evaluated: number of users of each scene that are evaluated; None = all.
        train: number of candidates of each scene to train on; None = all.

    Raises:
        ValueError: an unknown scene; a number out of its range.
        MissingDataError, BadDataError: a file is missing or malformed.

    Source: McAuley et al. 2015, in the edition of Cao et al. 2022 (CDRIB).
    """

    provides = ({"name": "amazon_cdr_{scene}", "kind": "behaviour", "task": "ranking"},)

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
            log, items = read_purchases(data_dir, scene, random_generator(seed, "amazon_cdr", scene, "order"))
            splits = {scene: last_clicks_apart(log)}
            self += behaviour_datasets("amazon_cdr", {scene: log}, splits, items, sampling, batch_size=batch_size)


def file_of(scene: str) -> str:
    return f"amazon-cdr/{FOLDERS[scene]}/new_reindex.txt.gz"


def read_purchases(data_dir: str | None, scene: str, generator: np.random.Generator) -> tuple[Log, list[str]]:
    """Read the log of a file in a drawn order of each user's rows, and each item's number in the file."""
    name = file_of(scene)
    lines = number_lines(data_dir, name, LINE, "have a user, an item and a 1 in each line, with tabs between")
    user, number, _ = numbers(lines).astype(np.int64).reshape(-1, 3).T
    if len(np.unique(user << 32 | number)) < len(user):
        raise BadDataError(f"{name} must have each user and item once. Found a pair twice: get it again.")
    items, item = np.unique(number, return_inverse=True)
    order = np.lexsort((generator.permutation(len(user)), user))
    return Log(user[order], item[order], np.ones(len(item), dtype=bool)), [str(number) for number in items]
