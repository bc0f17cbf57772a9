"""A text or a picture → the tensors that a scene's encoder reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iamm.dataset.base import Scene
from iamm.dataset.pixels import resized
from iamm.errors import BadDataError, ConfigError
from iamm.serve.picture import read_picture

Example = Mapping[str, Tensor]
"""The fields of a scene by name, each without a place for the batch."""


def input_kind(scene: Scene) -> str:
    """`pixels` or `tokens`: what the scene's one field holds.

    Raises:
        ConfigError: a scene of other fields.
    """
    kinds = [field.kind for field in scene.fields.values()]
    if kinds not in (["pixels"], ["tokens"]):
        raise ConfigError(
            f"A prediction needs a scene of pictures or texts. Found {scene.name}, of {', '.join(kinds)}: take another."
        )
    return kinds[0]


def example_of(scene: Scene, value: Any, location: str, *, tokenised: bool = False) -> Example:
    """A text, or a picture: its path, or an array of bytes (height, width) or (channels, height, width).

    Args:
        scene: whose size, channels or vocabulary it is brought to.
        value: the input.
        location: of the input, for error messages.
        tokenised: the words of a text stand apart already.

    Raises:
        BadDataError: it cannot be read.
        MissingDataError: no such picture.
        ConfigError: a scene of neither.
    """
    kind = input_kind(scene)
    (name,) = scene.fields
    return {
        name: picture(scene, name, value, location) if kind == "pixels" else text(scene, value, location, tokenised)
    }


def text(scene: Scene, value: Any, location: str, tokenised: bool) -> Tensor:
    """Ids, cut as in training.  # (T,)"""
    assert scene.source is not None
    assert scene.text_format is not None
    if not isinstance(value, str):
        raise BadDataError(f"A text must be a string. Found {type(value).__name__} in {location}: give another.")
    ids = scene.text_format.ids(value if tokenised else scene.text_format.tidied(value), scene.source)
    if not ids:
        raise BadDataError(f"A text must have a word. Found none in {location}: leave it out.")
    return torch.tensor(ids)


def picture(scene: Scene, name: str, value: Any, location: str) -> Tensor:
    """Pixels of the scene's size and channels.  # (channels, height, width) uint8"""
    pixels = read_picture(value) if isinstance(value, (str, Path)) else np.asarray(value)
    grey_or_colour = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[0] in (1, 3))
    if pixels.dtype != np.uint8 or not grey_or_colour or not pixels.size:
        raise BadDataError(
            "A picture must be bytes, (height, width) or (1 or 3, height, width). "
            f"Found {pixels.dtype} {pixels.shape} in {location}: bring it into that form."
        )
    channels, height, width = scene.splits["train"].inputs[name].shape[1:]
    return torch.from_numpy(resized(pixels[None], (height, width), channels == 3)[0].copy())
