"""The worlds of `shapes`: a large and a small object, each with a shape, a colour and a place."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from iamm.dataset.base import SPLITS, random_generator

SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = ("red", "green", "blue", "yellow", "purple", "cyan")
PLACES = ("top-left", "top", "top-right", "left", "centre", "right", "bottom-left", "bottom", "bottom-right")
LARGE, SMALL = 0, 1
AXES = (len(SHAPES), len(COLOURS), len(PLACES), len(SHAPES), len(COLOURS), len(PLACES) - 1)
WORLDS = math.prod(AXES)  # 41,472
SHARES = (0.7, 0.8)  # of all worlds: up to the first train's, up to the second validation's, the rest test's


class Worlds(NamedTuple):
    """N worlds; column 0 is the large object, column 1 the small one.

    Shapes:
        shape, colour, place: (N, 2) int64, indices into SHAPES, COLOURS and PLACES
    """

    shape: np.ndarray
    colour: np.ndarray
    place: np.ndarray


def worlds(numbers: np.ndarray) -> Worlds:
    """Give the worlds with these numbers, 0 ≤ number < WORLDS; the small object takes one of the 8 free places."""
    shape, colour, place, small_shape, small_colour, free_place = np.unravel_index(numbers, AXES)
    small_place = free_place + (free_place >= place)
    pairs = ((shape, small_shape), (colour, small_colour), (place, small_place))
    return Worlds(*(np.stack(pair, axis=1) for pair in pairs))  # each (N, 2)


def worlds_of_splits(seed: int) -> dict[str, np.ndarray]:
    """Distribute the numbers of all worlds to the splits, each to one of them."""
    order = random_generator(seed, "shapes", "worlds").permutation(WORLDS)
    return dict(zip(SPLITS, np.split(order, [round(share * WORLDS) for share in SHARES]), strict=True))


def paired_worlds(numbers: np.ndarray, seed: int, split: str, count: int, relatedness: float) -> tuple[np.ndarray, ...]:
    """Numbers of the pictures' and the texts' worlds, from a split's worlds, repeated if there are too few."""
    pictured = numbers[np.arange(count) % len(numbers)]
    draw = random_generator(seed, "shapes", split, "relatedness").random((count, 2))
    other = numbers[(draw[:, 1] * len(numbers)).astype(int)]
    return pictured, np.where(draw[:, 0] < relatedness, pictured, other)
