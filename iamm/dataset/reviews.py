"""Synthetic reviews, in which few clauses are opinions and their meaning depends on the product."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch

from iamm.constraints import Count, Number, Seed, Share
from iamm.dataset.base import SPLITS, Dataset, Scene, Split, random_generator
from iamm.dataset.fields import CLASS, TOKENS
from iamm.dataset.reviews_language import (
    DAYS,
    asides,
    filler,
    introduction,
    joined,
    opinions,
    picked,
    word_counts,
)
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import WordVocabulary, padded

CLASSES = ("negative", "positive")
SHARES = (0.7, 0.8)  # of all days: up to the first train's, up to the second validation's, the rest test's


class ReviewsDataset(Dataset):
    """Reviews of 10 to 30 words, classified as negative or positive by their opinions.

    One or two opinions, which agree, stand anywhere among clauses that judge nothing, or that judge something else (the
    courier, another product, what a sister thinks) and do not count. Some words are good for one product and bad for
    another; the opinion itself names the product in every second case only. Each review names a day, and each day
    belongs to one split: no text of one split occurs in another. Both classes are equally frequent.

    Args:
        seed: seed of all random numbers; each purpose has a separate generator, so that an option changes no other
            draws.
        batch_size: reviews per step.
        train, validation, test: numbers of reviews.
        products: number of products, from phone, book, kettle and hotel; with one, no word changes its sense.
        ambiguity: probability that a judging word is one of six that are good for two of the four and bad for two.
        negation: probability that it is the opposite word, with `not` before it.
        noise: probability that a training label is wrong. Labels of validation and test are always right.

    Raises:
        ValueError: a number outside of its range.
    """

    provides = ({"name": "reviews", "kind": "text", "task": "classification"},)

    def __init__(
        self,
        *,
        seed: Seed,
        batch_size: Count = 64,
        train: Count = 4000,
        validation: Count = 500,
        test: Count = 1000,
        products: Annotated[int, Number(1, 4, whole=True)] = 4,
        ambiguity: Share = 0.5,
        negation: Share = 0.25,
        noise: Share = 0.0,
    ) -> None:
        counts = {"train": train, "validation": validation, "test": test}
        days = days_of_splits(seed)
        texts = {}
        for split, count in counts.items():
            product = picked(random_generator(seed, "reviews", split, "product").random(count), products)
            texts[split] = reviews(product, days[split], ambiguity, negation, seed, "reviews", split)
        vocabulary = WordVocabulary.learn(texts["train"])
        labels = {split: classes(count) for split, count in counts.items()}
        labels["train"] ^= random_generator(seed, "reviews", "train", "noise").random(train) < noise
        splits = {
            split: Split(
                {"text": padded(vocabulary.encode_all(texts[split]))},
                torch.from_numpy(labels[split].astype(np.int64)),
                torch.ones(counts[split], dtype=torch.bool),
            )
            for split in SPLITS
        }
        made = ("reviews", "text", "classification", splits, {"text": TOKENS}, CLASS, CLASSES, vocabulary)
        scene = Scene(*made, text_format=TextFormat(lowercase=True))
        super().__init__("reviews", (scene,), batch_size)


def days_of_splits(seed: int) -> dict[str, np.ndarray]:
    """Distribute all days to the splits, each to one of them."""
    order = random_generator(seed, "reviews", "days").permutation(len(DAYS))
    return dict(zip(SPLITS, np.split(DAYS[order], [round(share * len(DAYS)) for share in SHARES]), strict=True))


def classes(count: int) -> np.ndarray:
    """Alternating negative and positive classes.  # (N,) bool"""
    return np.arange(count) % 2 == 1


def reviews(
    product: np.ndarray, days: np.ndarray, ambiguity: float, negation: float, seed: int, *purposes: str
) -> list[str]:
    """Texts on products (N,), whose classes are `classes(N)`; the purposes name their random numbers."""
    count = len(product)

    def draw(purpose: str, *shape: int) -> np.ndarray:
        return random_generator(seed, *purposes, purpose).random((count, *shape))

    opening = introduction(product, days, draw)
    judgements = opinions(product, classes(count), ambiguity, negation, draw)
    distractors = asides(product, ambiguity, negation, draw)
    clauses = np.concatenate((opening, judgements, distractors), axis=1)
    fillers = filler(product, word_counts(clauses).sum(axis=1), draw)
    return joined(np.concatenate((clauses, fillers), axis=1), draw)
