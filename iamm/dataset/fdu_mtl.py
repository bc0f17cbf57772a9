"""Positive and negative reviews of 16 kinds of products."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Annotated

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.files import bad_text, read_lines
from iamm.dataset.idx import hold_out
from iamm.dataset.labelled_text import Labelled, text_datasets
from iamm.dataset.overlap import signs_of
from iamm.dataset.text_format import TextFormat, treebank

SCENES = (
    "apparel",
    "baby",
    "books",
    "camera_photo",
    "dvd",
    "electronics",
    "health_personal_care",
    "imdb",
    "kitchen_housewares",
    "magazines",
    "mr",
    "music",
    "software",
    "sports_outdoors",
    "toys_games",
    "video",
)
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]
CLASSES = ("negative", "positive")
LONGEST_REVIEW = 50_000
"""Characters: the longest published one has 31,865."""
NO_REVIEW = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
"""Characters that no review has; a few published ones hold a byte order mark, or replacement characters."""
UNKNOWN_CLASS = 0
"""The placeholder for the class of an unlabelled review, which must not be read."""
Reviews = dict[str, list[Labelled]]
"""Split → reviews."""


class FduMtlDataset(list[Dataset], Constrained):
    """16 × (1,400 + 200 + 400) reviews, two classes, from `data_dir/fdu-mtl/`; each scene is a separate data set.

    The test split is the published one, and the validation reviews are held out of the published training reviews. The
    scenes are unpaired, and share one vocabulary, learnt on all their training reviews: so they can share an encoder.

    560 of the 6,400 published test reviews also stand in a training file, of the same scene or another, letter by
    letter. With `clean` the 729 training reviews (and 532 unlabelled ones) that are a test review of any of the 16
    scenes are left out: a scene's data are the same whatever other scenes are chosen. So are the training reviews that
    are a validation review of their scene.

    Args:
        data_dir: the folder of all data sets.
        seed: draws the validation reviews.
        batch_size: reviews per step, of each scene.
        scenes: any of the 16, in the order of the run.
        clean: leave out of train and unlabelled what stands verbatim in test, and out of train what stands in
            validation: letters and digits are compared, in lower case. False: the published split, for comparison with
            published numbers.
        unlabelled: whether the reviews without a class are read too, as a split `unlabelled`. Those of shops are not
            balanced as the others are.
        validation: how many training reviews of each scene are held out.
        min_count: occurrences in train from which a word has an id.
        max_length: length of a review in words, at which longer ones are cut, in every split.
        train: number of training reviews of each scene; None = all the others.
        known: scenes whose training reviews the vocabulary is learnt from; None = all. A run with a `target` sets it.

    Raises:
        ValueError: an unknown scene; a number out of its range.
        MissingDataError, BadDataError: a file is missing or malformed.

    Source: Liu, Qiu, Huang 2017, in the edition of Chen and Cardie 2018; the reviews are of Blitzer, Dredze, Pereira
    2007, Maas et al. 2011 (imdb) and Pang, Lee 2005 (mr).
    """

    provides = ({"name": "fdu_mtl_{scene}", "kind": "text", "task": "classification"},)

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = SCENES,
        clean: bool = True,
        unlabelled: bool = False,
        validation: Count = 200,
        min_count: Count = 2,
        max_length: Count = 256,
        train: Count | None = None,
        known: Scenes | None = None,
    ) -> None:
        files = ("train", "test", "unlabelled") if unlabelled else ("train", "test")
        reviews = {scene: {split: read_reviews(data_dir, scene, split) for split in files} for scene in scenes}
        notices = without_empty(reviews)
        if clean:
            tests = {scene: splits["test"] for scene, splits in reviews.items()}
            others = {scene: read_reviews(data_dir, scene, "test") for scene in SCENES if scene not in scenes}
            notices += without_test(reviews, {**tests, **others})
        for scene, splits in reviews.items():
            generator = random_generator(seed, "fdu_mtl", scene, "validation")
            held_out, rest = hold_out(len(splits["train"]), generator, validation, None)
            rows = splits["train"]
            splits |= {"train": [rows[row] for row in rest], "validation": [rows[row] for row in held_out]}
        if clean:
            notices += without_validation(reviews)
        for splits in reviews.values():
            splits["train"] = first(splits["train"], train)
        classes, text_format = dict.fromkeys(scenes, CLASSES), TextFormat(True, "treebank", max_length)
        built = partial(text_datasets, min_count=min_count, batch_size=batch_size, known=known)
        super().__init__(built("fdu_mtl", reviews, classes, notices, text_format))


def file_of(scene: str, split: str) -> str:
    return f"fdu-mtl/{'MR' if scene == 'mr' else scene}.task.{split.removesuffix('led')}.xz"


def read_reviews(data_dir: str | None, scene: str, split: str) -> list[Labelled]:
    """Read the rows of a file: class, tab and words separated by blanks, or only text."""
    name = file_of(scene, split)
    lines = read_lines(data_dir, name, longest=LONGEST_REVIEW, refused=NO_REVIEW)
    if split == "unlabelled":
        return [Labelled(UNKNOWN_CLASS, treebank(line)) for line in lines]
    return [review_of(name, line, number) for number, line in enumerate(lines, start=1)]


def review_of(name: str, line: str, number: int) -> Labelled:
    label, tab, text = line.partition("\t")
    if label not in ("0", "1") or not tab:
        rule = "have a class, 0 or 1, and a tab before each review"
        raise bad_text(name, rule, repr(line[:20]), number, 1)
    return Labelled(int(label), text)


def without_empty(reviews: Mapping[str, Reviews]) -> list[str]:
    """Remove reviews without a word; return a notice."""
    before = sum(len(rows) for splits in reviews.values() for rows in splits.values())
    for splits in reviews.values():
        splits |= {split: [row for row in rows if row.text.strip()] for split, rows in splits.items()}
    count = before - sum(len(rows) for splits in reviews.values() for rows in splits.values())
    return [f"fdu_mtl: {count:,} of {before:,} reviews have no text and are left out."] if count else []


def without_test(reviews: Mapping[str, Reviews], tests: Mapping[str, Sequence[Labelled]]) -> list[str]:
    """Remove the test reviews of all scenes from the other splits; return notices."""
    excluded = {signs_of(row.text) for rows in tests.values() for row in rows}
    notices = []
    for split in ("train", "unlabelled"):
        before = sum(len(splits.get(split, ())) for splits in reviews.values())
        removed = sum(leave_out(splits, split, excluded) for splits in reviews.values() if split in splits)
        if removed:
            notices.append(
                f"fdu_mtl: {removed:,} of {before:,} {split} reviews stand verbatim in a test split and are left out; "
                "clean=false keeps them, as they were published."
            )
    return notices


def without_validation(reviews: Mapping[str, Reviews]) -> list[str]:
    """Remove each scene's validation reviews from its training split; return a notice."""
    removed = sum(
        leave_out(splits, "train", {signs_of(row.text) for row in splits["validation"]}) for splits in reviews.values()
    )
    if not removed:
        return []
    return [f"fdu_mtl: {removed:,} train reviews stand verbatim in their scene's validation split and are left out."]


def first(rows: list[Labelled], train: int | None) -> list[Labelled]:
    """Give the first `train` rows; None means all.

    Raises:
        ValueError: there are fewer.
    """
    if (train or 1) > len(rows):
        raise ValueError(f"`train` must not exceed {len(rows):,}. Found {train}: give fewer, or fewer for validation.")
    return rows[:train]


def leave_out(reviews: Reviews, split: str, excluded: Collection[str]) -> int:
    """Remove reviews from a split; return their number."""
    remaining = [row for row in reviews[split] if signs_of(row.text) not in excluded]
    removed = len(reviews[split]) - len(remaining)
    reviews[split] = remaining
    return removed
