"""The conversion of a text, a picture or a record to the tensors that a scene's encoder reads."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from iamm.dataset.base import Scene
from iamm.dataset.fields import Field
from iamm.dataset.pictures import picture
from iamm.errors import BadDataError

NOBODY = 2**31 - 1
"""The number of a user who is in no log."""
Example = Mapping[str, Tensor]
"""Name of a field → its tensor, without a batch axis."""


def input_kind(scene: Scene) -> str:
    """Give `pixels` or `tokens` if that is the scene's only field, else `record`: a value for each of its fields."""
    kinds = [field.kind for field in scene.fields.values()]
    return kinds[0] if kinds in (["pixels"], ["tokens"]) else "record"


def example_of(scene: Scene, value: Any, location: str, *, tokenised: bool = False) -> Example:
    """Convert an input of a scene.

    Args:
        scene: the scene, which determines size and channels, or the vocabulary.
        value: a text; a picture, as a path or an array of bytes (channels, height, width) of the scene's size; or a
            record.
        location: the location of the input, for error messages.
        tokenised: whether the words of a text are already separated.

    Raises:
        BadDataError: the input cannot be read.
        MissingDataError: no such picture.
    """
    kind = input_kind(scene)
    if kind == "record":
        return record(scene, value, location)
    (name,) = scene.fields
    if kind == "pixels":
        return {name: pixels(scene, name, value, location)}
    return {name: ids(scene, value, location, tokenised)}


def ids(scene: Scene, value: Any, location: str, tokenised: bool) -> Tensor:
    """Encode a text as ids, cut as in training.  # (T,)"""
    assert scene.source is not None
    assert scene.text_format is not None
    if not isinstance(value, str):
        raise BadDataError(f"A text must be a string. Found {type(value).__name__} in {location}: give another.")
    tokens = scene.text_format.ids(value if tokenised else scene.text_format.tidied(value), scene.source)
    if not tokens:
        raise BadDataError(f"A text must have a word. Found none in {location}: leave it out.")
    return torch.tensor(tokens)


def pixels(scene: Scene, name: str, value: Any, location: str) -> Tensor:
    """Read a file in the size and channels of the scene, or take an array that has them.

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
    """Read a file as `image_folder` does."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return picture(path, shape[-1], shape[0] == 3)


def record(scene: Scene, value: Any, location: str) -> Example:
    """Convert a mapping with a name, a number (where the field holds no ids), or a list of them for each field.

    `user`, the user's number in the log that was learnt from, may be left out: nobody who is known. Lists of one
    record, such as a history and its times, have one length.
    """
    if isinstance(value, Mapping):
        value = {"user": NOBODY, **value} if "user" in scene.fields else value
    missing = [name for name in scene.fields if not isinstance(value, Mapping) or name not in value]
    if missing:
        raise BadDataError(
            f"An input of {scene.name} must have {', '.join(scene.fields)}. "
            f"Found no {missing[0]} in {location}: add it."
        )
    example = {name: entries(scene, name, value[name], location) for name in scene.fields}
    lists = {name: len(example[name]) for name, field in scene.fields.items() if field.padding is not None}
    if len(set(lists.values())) > 1:
        found = ", ".join(f"{count} of `{name}`" for name, count in lists.items())
        raise BadDataError(f"Lists of one record must have one length. Found {found} in {location}: mend it there.")
    return example


def entries(scene: Scene, name: str, value: Any, location: str) -> Tensor:
    """Convert one field; of a list of any length, the latest entries, at most as many as in training."""
    like, field = scene.splits["train"].inputs[name][0], scene.fields[name]
    try:
        values = torch.tensor(numbers(scene, field, value), dtype=like.dtype)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        values = torch.zeros(0, 0, 0, 0)
    shape = values.shape[1:] if field.padding is not None and values.dim() else values.shape
    if values.dim() != like.dim() or shape != (like.shape[1:] if field.padding is not None else like.shape):
        expected = "a list" if like.dim() else "one entry"
        raise BadDataError(f"`{name}` must be {expected} of numbers or names. Found {str(value)[:40]} in {location}.")
    if field.kind == "numbers" and values.numel() and values.min() < 0:
        raise BadDataError(f"`{name}` must be at least 0. Found {int(values.min())} in {location}: mend it there.")
    return values if field.padding is None else values[-len(like) :]


def numbers(scene: Scene, field: Field, value: Any) -> Any:
    """Replace names by their ids in the vocabulary; where a field holds ids, a whole number is a name, too.

    Raises:
        ValueError, TypeError: a value that is neither.
    """
    if isinstance(value, list):
        return [numbers(scene, field, each) for each in value]
    if field.kind == "numbers" or scene.source is None:
        return value
    if type(value) is not int and not isinstance(value, str):
        raise TypeError(value)
    (id,) = scene.source.encode("_".join(str(value).split()))
    return id
