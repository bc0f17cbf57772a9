"""Files of pictures → arrays of bytes."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from iamm.errors import BadDataError, MissingDataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST_PIXELS = 1 << 26
"""Of a picture: more than any camera takes, and 200 MB in colour."""
GREY, COLOUR = ("1", "L", "LA"), ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr")


def read_picture(path: str | Path) -> np.ndarray:
    """Pixels, turned as the camera was held: (height, width) or (3, height, width) uint8.

    Raises:
        MissingDataError: no such file.
        BadDataError: no whole picture of 8 bits a channel, an animated one, or one that is too large.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow's about size and odd metadata: what counts is looked at here
        try:
            with Image.open(path) as image:
                require_plain(path, image)
                turned = ImageOps.exif_transpose(image)
                pixels = np.asarray(turned.convert("L" if image.mode in GREY else "RGB"))
        except FileNotFoundError as error:
            raise MissingDataError(f"A picture must be there. Found no {path}: name another.") from error
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise BadDataError(f"A picture must be a whole PNG, JPEG or WebP. Found {path}: {why}.") from error
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, height, width)


def require_plain(path: str | Path, image: object) -> None:
    """Size, frames and depth, from the header alone."""
    width, height = image.size  # type: ignore[attr-defined]
    frames, mode = getattr(image, "n_frames", 1), image.mode  # type: ignore[attr-defined]
    rules = {
        f"at most {MOST_PIXELS:,} pixels": (f"{width * height:,}", width * height > MOST_PIXELS),
        "one frame": (f"{frames}, it is animated", frames > 1),
        "8 bits a channel": (f"mode {mode}", mode not in (*GREY, *COLOUR)),
    }
    for rule, (found, broken) in rules.items():
        if broken:
            raise BadDataError(f"A picture must have {rule}. Found {found} in {path}: bring it into that form.")
