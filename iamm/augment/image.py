"""Augmentation of pictures: crop, flip, rotate, scale and erase."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from iamm.augment.base import Augment
from iamm.augment.randomness import uniform
from iamm.constraints import Either, Number, OneOf, Share, ShareBelow1
from iamm.dataset.base import Scene

AREA = (0.02, 0.2)  # of the picture, that an erased rectangle covers
ASPECT = 3.3  # its height by its width, or the inverse, at most
MIRROR = 4  # number of the draw that decides on a mirror image
BACKGROUND = 10_000_000  # number of the draw that decides on a background; the next ones make it
GRID = 4  # rows and columns of random colours that a background is blended from

Crop = Annotated[int, Number(0, 10_000, whole=True)]
Degrees = Annotated[float, Number(0, 180)]
Padding = Annotated[str, OneOf(("reflect",))] | None
Flip = Annotated[float | str, Either(Number(0, 1), OneOf(("alternate",)))]


class ImageAugment(Augment):
    """x' = erase(mix(flip(crop(turn(x))))), each step drawn for each picture.

    Args:
        crop: width of a margin, in pixels, from which with the picture a random window of the original size is cut.
        padding: None: the margin is 0; `reflect`: it mirrors the picture's own pixels, without those of the edge.
        flip: probability of a mirror image; or `alternate`: of the first epoch's pictures a random half is mirrored, in
            each further epoch those that were not in the epoch before.
        rotate: degrees at most; the angle is uniform in ±rotate.
        scale: relative change at most; the size is uniform in 1 ± scale.
        erase: probability of a rectangle of uniform noise over 2–20 % of the picture, up to whole pixels.
        background: probability that the picture is mixed with a random ground, x' = |x − b|. Each channel of b is
            c + a (u − ½) within [0, 1], with its colour c and the picture's contrast a uniform in [0, 1], and u blended
            from 4 × 4 uniform numbers. None: none is.

    Shapes:
        (B, channels, height, width) → the same

    Raises:
        ValueError: a strength outside its range.

    Source: Zhong et al. 2020, "Random erasing data augmentation", algorithm 1, for `erase`. Ours draws sides that
    always fit (shares of height and width, their ratio log-uniform), where the paper draws until they do. Jordan 2024,
    "94% on CIFAR-10 in 3.29 seconds on a single GPU", §3.6, for alternating flips. Ganin et al. 2016, §5.2.4, mix
    digits with patches of photos by the same |x − b|; here no photo is needed.
    """

    kind: ClassVar[str] = "image"
    field: ClassVar[str] = "pixels"

    def __init__(
        self,
        *,
        crop: Crop = 2,
        padding: Padding = None,
        flip: Flip = 0.5,
        rotate: Degrees = 5.0,
        scale: ShareBelow1 = 0.05,
        erase: Share = 0.25,
        background: Share | None = None,
    ) -> None:
        self.crop, self.padding, self.flip = crop, padding, flip
        self.rotate, self.scale, self.erase, self.background = rotate, scale, erase, background

    def __call__(self, inputs: Tensor, index: Tensor, *, seed: int, epoch: int, scene: Scene | None = None) -> Tensor:
        changed = super().__call__(inputs, index, seed=seed, epoch=epoch, scene=scene)
        if self.flip != "alternate":
            return changed
        first = uniform(self.keys(index, seed=seed, epoch=0), np.array([MIRROR])) < 0.5
        return mirrored(changed, first ^ bool(epoch % 2))

    def apply(self, inputs: Tensor, keys: NDArray[np.uint64], scene: Scene | None) -> Tensor:
        draws = uniform(keys, np.arange(10)[:, None])  # (10, B)
        angle, size, down, right, mirror, covered = draws[: MIRROR + 2]
        if self.rotate or self.scale:
            inputs = turned(inputs, np.radians(self.rotate) * (2 * angle - 1), 1 + self.scale * (2 * size - 1))
        if self.crop:
            inputs = cropped(inputs, self.crop, np.stack((down, right)), self.padding)
        if self.flip and not isinstance(self.flip, str):
            inputs = mirrored(inputs, mirror < self.flip)
        if self.background:
            inputs = mixed_with(grounds(inputs, keys), inputs, uniform(keys, np.array([BACKGROUND])) < self.background)
        if self.erase:
            where = (covered < self.erase)[:, None, None] & rectangles(inputs, draws[6:])  # (B, height, width)
            inputs = noisy(inputs, where, keys, first_draw=len(draws))
        return inputs


def mirrored(pictures: Tensor, chosen: NDArray[np.bool_]) -> Tensor:
    """Exchange left and right of the chosen pictures (B,)."""
    return torch.where(torch.from_numpy(chosen).to(pictures.device)[:, None, None, None], pictures.flip(-1), pictures)


def turned(pictures: Tensor, angle: NDArray[np.float64], size: NDArray[np.float64]) -> Tensor:
    """Turn counter-clockwise by `angle` (radians) and enlarge by `size`, both (B,), about the centre; zeros come in.

    Each output pixel p, counted from the centre, is read at R(angle) p / size, between pixels bilinearly.
    """
    height, width = pictures.shape[-2:]
    across = (torch.arange(width, device=pictures.device) - (width - 1) / 2).to(pictures)  # (width,)
    down = (torch.arange(height, device=pictures.device) - (height - 1) / 2).to(pictures)[:, None]  # (height, 1)
    cosine, sine = torch.from_numpy(np.stack((np.cos(angle), np.sin(angle))) / size).to(pictures)[..., None, None]
    x = (cosine * across - sine * down) * (2 / width)  # (B, height, width)
    y = (sine * across + cosine * down) * (2 / height)  # (B, height, width)
    return functional.grid_sample(pictures, torch.stack((x, y), dim=-1), padding_mode="zeros", align_corners=False)


def cropped(pictures: Tensor, margin: int, draws: NDArray[np.float64], padding: Padding = None) -> Tensor:
    """Cut a window of the original size from the picture in a margin; draws (2, B): offset down and right."""
    height, width = pictures.shape[-2:]
    first_row, first_column = torch.from_numpy((draws * (2 * margin + 1)).astype(np.int64)).to(pictures.device)  # (B,)
    if padding == "reflect":  # numpy's margin may be wider than the picture, torch's not
        rows, columns = (np.pad(np.arange(length), margin, mode="reflect") for length in (height, width))
        wider = pictures[..., rows[:, None], columns]
    else:
        wider = functional.pad(pictures, (margin,) * 4)
    windows = wider.unfold(2, height, 1).unfold(3, width, 1)
    return windows[
        torch.arange(len(pictures), device=pictures.device), :, first_row, first_column
    ]  # (B, channels, height, width)


def mixed_with(ground: Tensor, pictures: Tensor, chosen: NDArray[np.bool_]) -> Tensor:
    """|x − b| for the chosen pictures (B,)."""
    return torch.where(
        torch.from_numpy(chosen).to(pictures.device)[:, None, None, None], (pictures - ground).abs(), pictures
    )


def grounds(pictures: Tensor, keys: NDArray[np.uint64]) -> Tensor:
    """Draw b for each picture.  # (B, channels, height, width)"""
    channels, height, width = pictures.shape[1:]
    count = 1 + channels * (1 + GRID * GRID)
    draws = torch.from_numpy(uniform(keys[:, None], BACKGROUND + 1 + np.arange(count))).to(pictures)  # (B, count)
    contrast, colour, grid = draws.split((1, channels, channels * GRID * GRID), dim=1)
    texture = functional.interpolate(
        grid.view(-1, channels, GRID, GRID), (height, width), mode="bilinear", align_corners=True
    )
    return (colour[..., None, None] + contrast[..., None, None] * (texture - 0.5)).clamp(0, 1)


def rectangles(pictures: Tensor, draws: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark a random rectangle of each picture; draws (4, B): area, aspect, top, left.  # (B, height, width)"""
    height, width = pictures.shape[-2:]
    area = AREA[0] + (AREA[1] - AREA[0]) * draws[0]
    aspect = np.exp(math.log(ASPECT) * (2 * draws[1] - 1))
    rows = span(height, np.sqrt(area * aspect), draws[2])  # (B, height)
    columns = span(width, np.sqrt(area / aspect), draws[3])  # (B, width)
    return rows[:, :, None] & columns[:, None, :]


def span(length: int, share: NDArray[np.float64], draw: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark an interval of `share` of `length` places (at least one), at a position by `draw`."""
    size = np.maximum(1, np.rint(length * share)).astype(np.int64)
    start = (draw * (length - size + 1)).astype(np.int64)
    place = np.arange(length)
    return (place >= start[:, None]) & (place < (start + size)[:, None])  # (B, length)


def noisy(pictures: Tensor, where: NDArray[np.bool_], keys: NDArray[np.uint64], first_draw: int) -> Tensor:
    """Put uniform noise into all channels of the places in `where` (B, height, width), with separate draws for each."""
    channels, _, width = pictures.shape[1:]
    picture, y, x = np.nonzero(where)  # (N,) each
    draws = first_draw + (y * width + x)[:, None] * channels + np.arange(channels)  # (N, channels)
    noise = torch.from_numpy(uniform(keys[picture, None], draws)).to(pictures)
    result = pictures.permute(0, 2, 3, 1).clone()  # (B, height, width, channels)
    result[torch.from_numpy(where).to(pictures.device)] = noise
    return result.permute(0, 3, 1, 2).contiguous()  # (B, channels, height, width)
