"""A text or a picture → the tensors that a scene's encoder reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iamm.dataset.base import Scene
from iamm.dataset.pictures import picture
from iamm.errors import BadDataError, ConfigError

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
    """A text, or a picture: a path, or an array of bytes (channels, height, width) of the scene's own size.

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
    if kind == "pixels":
        return {name: pixels(scene, name, value, location)}
    return {name: ids(scene, value, location, tokenised)}


def ids(scene: Scene, value: Any, location: str, tokenised: bool) -> Tensor:
    """Ids, cut as in training.  # (T,)"""
    assert scene.source is not None
    assert scene.text_format is not None
    if not isinstance(value, str):
        raise BadDataError(f"A text must be a string. Found {type(value).__name__} in {location}: give another.")
    found = scene.text_format.ids(value if tokenised else scene.text_format.tidied(value), scene.source)
    if not found:
        raise BadDataError(f"A text must have a word. Found none in {location}: leave it out.")
    return torch.tensor(found)


def pixels(scene: Scene, name: str, value: Any, location: str) -> Tensor:
    """A file, brought to the size and channels of the scene, or an array that has them.

    Returns:
        (channels, height, width) uint8
    """
    shape = scene.splits["train"].inputs[name].shape[1:]
    values = read(Path(value), shape) if isinstance(value, (str, Path)) else np.asarray(value)
    if values.dtype != np.uint8 or values.shape != shape:
        raise BadDataError(
            f"A picture of {scene.name} must be a file, or bytes {tuple(shape)}. "
            f"Found {values.dtype} {values.shape} in {location}: bring it into that form."
        )
    return torch.from_numpy(values.copy())


def read(path: Path, shape: Sequence[int]) -> np.ndarray:
    """A file, as `image_folder` reads it."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return picture(path, shape[-1], shape[0] == 3)
