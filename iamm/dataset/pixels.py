"""Pictures in one size, grey or in colour."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import interpolate

AT_ONCE = 4_096
"""Pictures that are resized together."""
RED_GREEN_BLUE = np.array((0.299, 0.587, 0.114), np.float32)
"""Shares of the colours in grey: ITU-R BT.601."""


def resized(pixels: np.ndarray, size: tuple[int, int], colour: bool) -> np.ndarray:
    """All pictures in one size, by bilinear interpolation with antialiasing.  # (N, 1 or 3, height, width) uint8

    Args:
        pixels: (N, height, width), or (N, 1 or 3, height, width), uint8.
        size: the new height and width.
        colour: three channels, grey pictures with the same value in each; False: one channel.
    """
    channels = pixels if pixels.ndim == 4 else pixels[:, None]
    parts = [converted(part, size, colour) for part in np.array_split(channels, -(-len(channels) // AT_ONCE))]
    return np.concatenate(parts)


def converted(pixels: np.ndarray, size: tuple[int, int], colour: bool) -> np.ndarray:
    if pixels.shape[1] == 3 and not colour:
        pixels = np.tensordot(pixels, RED_GREEN_BLUE, axes=(1, 0))[:, None]  # (N, 1, height, width)
    if pixels.shape[2:] != size:
        values = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
        pixels = interpolate(values, size, mode="bilinear", antialias=True).numpy()
    pixels = np.rint(pixels).clip(0, 255).astype(np.uint8)  # (N, channels, height, width)
    return np.broadcast_to(pixels, (len(pixels), 3 if colour else 1, *size))
