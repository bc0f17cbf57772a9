"""Pictures and labels in IDX files, as MNIST and its likes are published."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from iamm.dataset.base import Scene, Split, random_generator
from iamm.dataset.fields import CLASS, PIXELS
from iamm.dataset.files import read_gzip
from iamm.errors import BadDataError

FILES = {"train": "train", "test": "t10k"}


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
    """One classification of grey pictures, from the four files of `data_dir/folder`.

    Args:
        validation: how many of the training examples are held out, drawn by the seed.
        train: how many of the others to train on; None for all.

    Raises:
        MissingDataError, BadDataError: a file that is not there, or not what it should be.
        ValueError: more examples wanted than there are.
    """
    pictures, labels = read_pair(data_dir, f"{folder}/{FILES['train']}", len(classes))
    tests = read_pair(data_dir, f"{folder}/{FILES['test']}", len(classes))
    require_one_size(folder, pictures, tests[0])
    held_out, rest = hold_out(len(labels), random_generator(seed, folder, "validation"), validation, train)
    splits = {
        "train": picture_split(pictures[rest], labels[rest]),
        "validation": picture_split(pictures[held_out], labels[held_out]),
        "test": picture_split(*tests),
    }
    return picture_scene(name, splits, classes)


def hold_out(
    count: int, generator: np.random.Generator, validation: int, train: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for validation and rows for training; fewer for training are the first of more."""
    wanted = 1 if train is None else train
    if validation + wanted > count:
        raise ValueError(f"`validation` and `train` must not exceed {count:,} in sum. Found {validation + wanted:,}.")
    order = generator.permutation(count)
    return order[:validation], order[validation:][:train]


def picture_scene(name: str, splits: Mapping[str, Split], classes: tuple[str, ...]) -> Scene:
    return Scene(name, "image", "classification", splits, {"image": PIXELS}, CLASS, classes=classes)


def picture_split(pictures: np.ndarray, labels: np.ndarray) -> Split:
    """Grey pictures (N, height, width) uint8 and their classes (N,)."""
    inputs = torch.from_numpy(pictures).unsqueeze(1)  # (N, 1, height, width)
    return Split(
        {"image": inputs}, torch.from_numpy(labels.astype(np.int64)), torch.ones(len(labels), dtype=torch.bool)
    )


def read_pair(data_dir: str | None, stem: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, height, width) uint8 and labels (N,) uint8, below `classes`."""
    picture_file, label_file = f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"
    pictures, labels = read_idx(data_dir, picture_file, 3), read_idx(data_dir, label_file, 1)
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
    """All pictures (N, height, width) have the height and width of the others."""
    if train.shape[1:] != test.shape[1:]:
        raise BadDataError(
            f"{folder} must have pictures of one size. "
            f"Found {train.shape[1:]} in train, {test.shape[1:]} in test: get all four files again."
        )


def read_idx(data_dir: str | None, name: str, dimensions: int) -> np.ndarray:
    """The array of unsigned bytes in an IDX file: 00 00 08 and the number of dimensions, big-endian sizes, values."""
    content = read_gzip(data_dir, name)
    magic, start = bytes((0, 0, 8, dimensions)), 4 + 4 * dimensions
    if content[:4] != magic:
        raise BadDataError(f"{name} must begin with {magic.hex(' ')}. Found {content[:4].hex(' ')}: get it again.")
    if len(content) < start:
        raise BadDataError(f"{name} must have a header of {start} bytes. Found {len(content)}: get it again.")
    shape = tuple(np.frombuffer(content, ">u4", dimensions, offset=4).tolist())
    size = start + math.prod(shape)
    if 0 in shape:
        raise BadDataError(f"{name} must have sizes of at least 1. Found {shape}: get it again.")
    if len(content) != size:
        raise BadDataError(f"{name} must have {size:,} bytes for {shape}. Found {len(content):,}: get it again.")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
