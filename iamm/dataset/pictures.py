"""Pictures in a user's files, read as pixels of one size."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from iamm.dataset.cache import cache_folder, entry, store
from iamm.dataset.files import LARGEST, read_plain
from iamm.errors import BadDataError
from iamm.memory import require_memory
from iamm.processors import processors

FORMATS = ("PNG", "JPEG", "WEBP")
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, struct.error, zlib.error)
"""Errors of Pillow for a file that is not a complete picture."""
SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L")
"""Modes of grey pictures with values up to 65,535."""


def read_pictures(paths: Sequence[Path], content: str, side: int, colour: bool) -> np.ndarray:
    """Read all pictures in one size; they are decoded once and cached.

    Args:
        paths: paths of the files.
        content: the SHA-256 of all of them together.
        side: height and width, in pixels.
        colour: three channels, red first; False: one.

    Returns:
        (N, channels, side, side) uint8

    Raises:
        BadDataError: a file is not a complete picture of one frame; more data than memory holds.
    """
    shape = (len(paths), 3 if colour else 1, side, side)
    size = int(np.prod(shape))
    require_memory(f"{len(paths):,} pictures of {shape[1:]}", 3 * size, "take some with limit=…, or a smaller side=…")
    name = hashlib.sha256(f"pictures {content} {shape} {[*map(str, paths)]}".encode(errors="surrogateescape"))
    cached = entry(cache_folder() / name.hexdigest(), size)
    if cached is not None and len(cached) == size:
        return np.frombuffer(cached, np.uint8).reshape(shape)
    pixels = decoded(paths, shape, colour)
    store(cache_folder() / name.hexdigest(), pixels.tobytes())
    return pixels


def decoded(paths: Sequence[Path], shape: tuple[int, ...], colour: bool) -> np.ndarray:
    from PIL import Image

    pixels = np.empty(shape, np.uint8)

    def fill(row: int) -> None:
        pixels[row] = picture(paths[row], shape[-1], colour)

    with warnings.catch_warnings(), ThreadPoolExecutor(processors()) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for _ in pool.map(fill, range(len(paths))):
            pass
    return pixels


def picture(path: Path, side: int, colour: bool) -> np.ndarray:
    """Read a picture, rotated by its EXIF data, over white where it is transparent, and resize its central square to
    the side with an antialiased bilinear filter.  # (channels, side, side) uint8

    Raises:
        BadDataError: it is no picture, damaged, animated, or beyond Pillow's limit of pixels.
    """
    from PIL import Image, ImageOps

    content = io.BytesIO(read_plain(None, str(path), LARGEST))
    try:
        with Image.open(content, formats=FORMATS) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
                raise Image.DecompressionBombError(f"{image.width:,} × {image.height:,} pixels")
            if (frames := getattr(image, "n_frames", 1)) > 1:
                raise ValueError(f"an animation of {frames} frames")
            image.draft("RGB" if colour else "L", (2 * side, 2 * side))  # a JPEG is decoded no larger than is needed
            square = ImageOps.fit(
                opaque(ImageOps.exif_transpose(image)).convert("RGB" if colour else "L"),
                (side, side),
                Image.Resampling.BILINEAR,
            )
    except (*DAMAGED, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise BadDataError(
            f"{path} must be a whole PNG, JPEG or WebP picture of one frame. Found: {reason}. Mend it, or take it away."
        ) from error
    pixels = np.asarray(square)
    return pixels.transpose(2, 0, 1) if colour else pixels[None]  # (channels, side, side)


def opaque(image: Any) -> Any:
    """Convert a picture to 8 bits without transparency."""
    from PIL import Image

    if image.mode in SIXTEEN_BITS:
        return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))
