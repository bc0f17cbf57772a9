"""Pictures and labels in IDX files, the format of MNIST and similar data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from iamm.dataset.base import Scene, Split, random_generator
from iamm.dataset.fields import PIXELS, target_of
from iamm.dataset.files import read_packed
from iamm.errors import BadDataError

FILES = {"train": "train", "test": "t10k"}
TYPES: Mapping[int, np.dtype[Any]] = {8: np.dtype(np.uint8), 11: np.dtype(">i2")}
"""Types of the values, by their code in the header."""


def idx_scene(
    name: str,
    *,
    folder: str,
    classes: tuple[str, ...],
    data_dir: str | None,
    seed: int,
    validation: int,
    train: int | None,
) -> Scene:
    """A classification of grey pictures, read from the four files of `data_dir/folder`.

    Args:
        validation: number of training examples held out, drawn by the seed.
        train: number of the others to train on; None for all.

    Raises:
        MissingDataError, BadDataError: a file is missing or wrong.
        ValueError: more examples are requested than exist.
    """
    pictures, labels = read_pair(data_dir, f"{folder}/{FILES['train']}", len(classes))
    tests = read_pair(data_dir, f"{folder}/{FILES['test']}", len(classes))
    require_one_size(folder, pictures, tests[0])
    held_out, training = hold_out(len(labels), random_generator(seed, folder, "validation"), validation, train)
    splits = {
        "train": picture_split(pictures[training], labels[training]),
        "validation": picture_split(pictures[held_out], labels[held_out]),
        "test": picture_split(*tests),
    }
    return picture_scene(name, splits, classes)


def hold_out(
    count: int, generator: np.random.Generator, validation: int, train: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows for validation and for training; a smaller `train` gives the first rows of a larger one."""
    least = 1 if train is None else train
    if validation + least > count:
        raise ValueError(f"`validation` and `train` must not exceed {count:,} in sum. Found {validation + least:,}.")
    order = generator.permutation(count)
    return order[:validation], order[validation:][:train]


def picture_scene(name: str, splits: Mapping[str, Split], classes: tuple[str, ...]) -> Scene:
    task, field, _ = target_of(classes)
    return Scene(name, "image", task, splits, {"image": PIXELS}, field, classes=classes)


def picture_split(pictures: np.ndarray, labels: np.ndarray) -> Split:
    """Grey pictures (N, height, width) or others (N, channels, height, width), uint8; classes (N,), or numbers."""
    targets = labels if labels.dtype == np.float64 else labels.astype(np.int64)
    inputs = torch.from_numpy(pictures if pictures.ndim == 4 else pictures[:, None])  # (N, channels, height, width)
    return Split({"image": inputs}, torch.from_numpy(targets), torch.ones(len(labels), dtype=torch.bool))


def read_pair(data_dir: str | None, stem: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, height, width) uint8 and labels (N,) uint8, below `classes`."""
    return read_files(data_dir, f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz", classes)


def read_files(
    data_dir: str | None, picture_file: str, label_file: str, classes: int, dimensions: int = 3, type_code: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Read pictures and labels from two files, the pictures with the given number of dimensions and type of values."""
    pictures, labels = read_idx(data_dir, picture_file, dimensions, type_code), read_idx(data_dir, label_file, 1)
    if len(pictures) != len(labels):
        raise BadDataError(
            f"{label_file} must have a label for each picture of {picture_file}. "
            f"Found {len(labels):,} labels, {len(pictures):,} pictures: get both again."
        )
    if labels.max() >= classes:
        first = int((labels >= classes).argmax())
        raise BadDataError(
            f"{label_file} must have labels from 0 to {classes - 1}. "
            f"Found {labels[first]} as label {first + 1:,}: get it again."
        )
    return pictures, labels


def require_one_size(folder: str, train: np.ndarray, test: np.ndarray) -> None:
    """Check that training and test pictures (N, height, width) have the same height and width."""
    if train.shape[1:] != test.shape[1:]:
        raise BadDataError(
            f"{folder} must have pictures of one size. "
            f"Found {train.shape[1:]} in train, {test.shape[1:]} in test: get all four files again."
        )


def read_idx(data_dir: str | None, name: str, dimensions: int, type_code: int = 8) -> np.ndarray:
    """The array in an IDX file: 00 00, the type of its values, the number of dimensions, big-endian sizes, values."""
    content = read_packed(data_dir, name)
    magic, start, values = bytes((0, 0, type_code, dimensions)), 4 + 4 * dimensions, TYPES[type_code]
    if content[:4] != magic:
        raise BadDataError(f"{name} must begin with {magic.hex(' ')}. Found {content[:4].hex(' ')}: get it again.")
    if len(content) < start:
        raise BadDataError(f"{name} must have a header of {start} bytes. Found {len(content)}: get it again.")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    size = start + math.prod(shape) * values.itemsize
    if 0 in shape:
        raise BadDataError(f"{name} must have sizes of at least 1. Found {shape}: get it again.")
    if len(content) != size:
        raise BadDataError(f"{name} must have {size:,} bytes for {shape}. Found {len(content):,}: get it again.")
    return np.frombuffer(content, values, offset=start).reshape(shape)
