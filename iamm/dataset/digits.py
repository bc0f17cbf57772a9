"""Small handwritten digits that need no download."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from iamm.constraints import Count, Number, Seed
from iamm.dataset.base import SPLITS, Dataset, random_generator
from iamm.dataset.idx import picture_scene, picture_split

Part = Annotated[float, Number(0, 1, above=True, below=True)]


class DigitsDataset(Dataset):
    """1,797 handwritten digits, 8×8 grey, 10 classes: the pictures of scikit-learn.

    Each class is split in the same proportions. Values 0..16 are stretched to 0..255.

    Args:
        seed: draws the splits.
        batch_size: examples a step.
        validation: share of all examples.
        test: share of all examples; the rest is for training.

    Raises:
        ValueError: shares outside [0, 1], or that leave nothing to train on.

    Source: Alpaydin and Kaynak 1998 (UCI), the test part, as scikit-learn has it.
    """

    provides = ({"name": "digits", "kind": "image", "task": "classification", "side": 8},)
    at_most: ClassVar = {("validation", "test"): 0.99}

    def __init__(self, *, seed: Seed, batch_size: Count = 64, validation: Part = 0.1, test: Part = 0.2) -> None:
        pictures, labels = digit_pictures()
        rows = stratified_rows(labels, (1 - validation - test, validation), random_generator(seed, "digits"))
        splits = {split: picture_split(pictures[part], labels[part]) for split, part in zip(SPLITS, rows, strict=True)}
        super().__init__("digits", (picture_scene("digits", splits, tuple("0123456789")),), batch_size)


def digit_pictures() -> tuple[np.ndarray, np.ndarray]:
    """All pictures (N, 8, 8) uint8 and their labels (N,)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.rint(bunch.images * (255 / 16)).astype(np.uint8), bunch.target


def stratified_rows(labels: np.ndarray, shares: tuple[float, ...], generator: np.random.Generator) -> list[np.ndarray]:
    """Rows for each share and for the remainder, with the same proportions in each class."""
    parts = []
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        parts.append(np.split(rows, np.rint(np.cumsum(shares) * len(rows)).astype(int)))
    return [np.sort(np.concatenate(rows)) for rows in zip(*parts, strict=True)]
