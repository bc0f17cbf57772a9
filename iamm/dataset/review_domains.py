"""The reviews of `reviews`, with each product as a scene."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed, Share
from iamm.dataset.base import Dataset
from iamm.dataset.labelled_text import Labelled, text_datasets
from iamm.dataset.reviews import CLASSES, classes, days_of_splits, reviews
from iamm.dataset.reviews_language import NAMES, PRODUCTS
from iamm.dataset.text_format import TextFormat

SCENES = ("phone", "book", "kettle", "hotel", "tablet", "comic", "teapot", "hostel")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class ReviewDomainsDataset(list[Dataset], Constrained):
    """Generated reviews of up to eight products, two classes; each product is a scene and a separate data set.

    The scenes share one vocabulary. `ambiguity` sets how far products are from each other: of the judging words that it
    draws, any two of the first four agree on a third, and what most others mean by such a word is wrong for this one.
    So a model of three of them that has met no label of the fourth does worse on it the larger `ambiguity` is, and no
    known one can help. The last four are kin of the first four, in this order: the same parts, and every word in the
    same sense. So a model that has met the phone can do well on the tablet, if it finds out whose kin a tablet is.

    Args:
        seed: seed of all random numbers.
        batch_size: reviews per step, of each scene.
        scenes: any of the eight, in the order of the run; a scene's reviews do not depend on the others.
        train, validation, test: numbers of reviews of each scene.
        ambiguity: probability that a judging word is one of six that are good for two of the four and bad for two.
        negation: probability that it is the opposite word, with `not` before it.
        known: scenes whose training reviews the vocabulary is learnt from; None = all. A run with a `target` sets it.

    Raises:
        ValueError: an unknown scene; a number outside of its range.
    """

    provides = ({"name": "review_domains_{scene}", "kind": "text", "task": "classification"},)

    def __init__(
        self,
        *,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = PRODUCTS,
        train: Count = 1000,
        validation: Count = 200,
        test: Count = 500,
        ambiguity: Share = 0.25,
        negation: Share = 0.25,
        known: Scenes | None = None,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        days = days_of_splits(seed)
        rows: dict[str, dict[str, list[Labelled]]] = {}
        for scene in scenes:
            rows[scene] = {}
            for split, count in counts.items():
                product = np.full(count, NAMES.index(scene))
                texts = reviews(product, days[split], ambiguity, negation, seed, "review_domains", scene, split)
                rows[scene][split] = [Labelled(int(c), text) for c, text in zip(classes(count), texts, strict=True)]
        built = partial(text_datasets, min_count=1, batch_size=batch_size, known=known)
        super().__init__(built("review_domains", rows, dict.fromkeys(scenes, CLASSES), (), TextFormat(True)))
