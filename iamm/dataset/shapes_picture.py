"""The pictures of `shapes`."""

from __future__ import annotations

import numpy as np

from iamm.dataset.base import random_generator
from iamm.dataset.shapes_world import LARGE, SMALL, Worlds

SIDE = 32  # pixels
CELL = 10.5  # pixels from one place to the next
RADIUS = {LARGE: 5.0, SMALL: 3.0}  # pixels
RADIUS_JITTER = 0.08  # of the radius, at most
PLACE_JITTER = 0.75  # pixels, at most
INSIDE = (  # of each shape, at (x, y) in units of its radius, y downwards
    lambda x, y: x**2 + y**2 <= 1,
    lambda x, y: np.maximum(abs(x), abs(y)) <= 0.85,
    lambda x, y: (2 * abs(x) <= y + 1) & (y <= 0.85),
    lambda x, y: (np.minimum(abs(x), abs(y)) <= 0.34) & (np.maximum(abs(x), abs(y)) <= 1),
)
DARK, FIRST_COLOUR, GREY, LIGHT = 0, 1, 7, 8  # rows of the palette
GROUNDS = (30, 30, 30), (200, 200, 200)  # dark and light
PALETTE = np.array(
    (
        GROUNDS[0],
        *((230, 40, 40), (40, 190, 60), (50, 80, 240), (240, 220, 50), (170, 60, 210), (50, 215, 225)),
        (128, 128, 128),
        GROUNDS[1],
    ),
    dtype=np.uint8,
)


def rendered(worlds: Worlds, generator: np.random.Generator) -> np.ndarray:
    """Which palette row each pixel shows; place and size tremble a little.  # (N, 32, 32) uint8"""
    canvas = np.full((len(worlds.place), SIDE, SIDE), DARK, dtype=np.uint8)
    jitter = 2 * generator.random((len(canvas), 2, 3)) - 1  # (N, objects, x y radius) in [-1, 1)
    for thing in (LARGE, SMALL):
        x, y, radius = geometry(worlds.place[:, thing], RADIUS[thing], jitter[:, thing])
        pixel = np.arange(SIDE, dtype=np.float32) + 0.5
        mask = inside(worlds.shape[:, thing], (pixel - x) / radius, (pixel[:, None] - y) / radius)  # (N, 32, 32)
        np.copyto(canvas, (FIRST_COLOUR + worlds.colour[:, thing, None, None]).astype(np.uint8), where=mask)
    return canvas


def geometry(place: np.ndarray, radius: float, jitter: np.ndarray) -> np.ndarray:
    """The centre's x and y, and the radius, in pixels. place: (N,), jitter: (N, 3).  # (3, N, 1, 1)"""
    cell = np.stack((place % 3, place // 3), axis=1)  # (N, 2) column, row
    centre = SIDE / 2 + CELL * (cell - 1) + PLACE_JITTER * jitter[:, :2]  # (N, 2)
    size = radius * (1 + RADIUS_JITTER * jitter[:, 2:])  # (N, 1)
    return np.concatenate((centre, size), axis=1).T[:, :, None, None].astype(np.float32)


def inside(shape: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which pixels the object covers. shape: (N,), x: (N, 1, 32), y: (N, 32, 1).  # (N, 32, 32) bool"""
    mask = np.empty((len(shape), SIDE, SIDE), dtype=bool)
    for index, rule in enumerate(INSIDE):
        rows = shape == index
        mask[rows] = rule(x[rows], y[rows])
    return mask


def occluded(canvas: np.ndarray, chance: float, size: int, generator: np.random.Generator) -> np.ndarray:
    """A grey square of `size` pixels, somewhere within the picture, on a share of `chance` of them."""
    draw = generator.random((len(canvas), 3))
    hidden = draw[:, 0] < chance  # (N,)
    corner = (draw[:, 1:].T * (SIDE - size + 1)).astype(int)[:, :, None]  # (2, N, 1)
    row, column = (corner <= np.arange(SIDE)) & (np.arange(SIDE) < corner + size)  # each (N, 32)
    square = row[:, :, None] & column[:, None, :] & hidden[:, None, None]  # (N, 32, 32)
    return np.where(square, np.uint8(GREY), canvas)


def coloured(
    canvas: np.ndarray, noise: float, generator: np.random.Generator, palette: np.ndarray = PALETTE
) -> np.ndarray:
    """RGB by a palette, with gaussian noise of standard deviation `noise` · 255.  # (N, 3, 32, 32) uint8"""
    noisy = generator.standard_normal((len(canvas), 3, SIDE, SIDE), dtype=np.float32)
    noisy *= 255 * noise
    for channel, shade in enumerate(palette.T):
        noisy[:, channel] += shade[canvas]
    return np.rint(np.clip(noisy, 0, 255, out=noisy), out=noisy).astype(np.uint8)


def pictures(
    worlds: Worlds,
    asked: np.ndarray,
    seed: int,
    split: str,
    pixel_noise: float,
    occlusion: float,
    occlusion_size: int,
    grounds: tuple[tuple[int, int, int], ...] = GROUNDS,
) -> np.ndarray:
    """Draw the pictures of the worlds, those that ask for the small object on light ground.  # (N, 3, 32, 32) uint8"""
    shape, square, noise = (random_generator(seed, "shapes", split, what) for what in ("jitter", "occlusion", "noise"))
    canvas = rendered(worlds, shape)
    canvas[(canvas == DARK) & (asked == SMALL)[:, None, None]] = LIGHT
    palette = PALETTE.copy()
    palette[[DARK, LIGHT]] = grounds
    return coloured(occluded(canvas, occlusion, occlusion_size, square), pixel_noise, noise, palette)
