"""Photos of ten classes of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np

from iamm.constraints import Count, Number, Seed
from iamm.dataset.base import Dataset, Split, random_generator
from iamm.dataset.cache import read_once
from iamm.dataset.files import read_plain
from iamm.dataset.idx import hold_out, picture_scene, picture_split
from iamm.errors import BadDataError

FOLDER = "cifar-10/cifar-10-batches-bin"
FILES = {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)}
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32
"""Bytes of a picture: its class, then its red, green and blue pixels."""
LARGEST = 10_000 * RECORD
"""Bytes of a file."""


class Cifar10Dataset(Dataset):
    """50,000 + 10,000 photos, 32×32 in colour, 10 classes, from the binary files in `data_dir/cifar-10/`.

    The files may be packed with xz, as `data_batch_1.bin.xz`: these are unpacked once and cached in `IAMM_CACHE_DIR`.

    Args:
        data_dir: the folder of all data sets.
        seed: draws the validation photos.
        batch_size: photos a step.
        validation: number of the 50,000 that are held out.
        train: number of the others to train on; None for all.

    Raises:
        MissingDataError, BadDataError: a file is missing or wrong.
        ValueError: more photos are requested than exist.

    Source: Krizhevsky 2009.
    """

    at_most: ClassVar = {("validation", "train"): 50_000}
    provides = ({"name": "cifar10", "kind": "image", "task": "classification", "side": 32},)

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        validation: Annotated[int, Number(1, 49_999, whole=True)] = 5000,
        train: Count | None = None,
    ) -> None:
        records = np.concatenate([read_batch(data_dir, name) for name in FILES["train"]])  # (N, 3073)
        tests = np.concatenate([read_batch(data_dir, name) for name in FILES["test"]])
        held_out, training = hold_out(len(records), random_generator(seed, "cifar10", "validation"), validation, train)
        splits = {
            "train": photo_split(records, training),
            "validation": photo_split(records, held_out),
            "test": photo_split(tests, np.arange(len(tests))),
        }
        super().__init__("cifar10", (picture_scene("cifar10", splits, CLASSES),), batch_size)


def photo_split(records: np.ndarray, rows: np.ndarray) -> Split:
    return picture_split(records[:, 1:][rows].reshape(-1, 3, 32, 32), records[rows, 0])


def read_batch(data_dir: str | None, stem: str) -> np.ndarray:
    """Read and check the records of one file.  # (N, 3073) uint8"""
    plain = f"{FOLDER}/{stem}.bin"
    name, read = (plain, read_plain) if Path(data_dir or "", plain).exists() else (f"{plain}.xz", read_once)
    content = read(data_dir, name, LARGEST)
    if not content or len(content) % RECORD:
        raise BadDataError(
            f"{name} must have {RECORD:,} bytes for each picture. Found {len(content):,} bytes: get it again."
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        first = int((records[:, 0] >= len(CLASSES)).argmax())
        raise BadDataError(
            f"{name} must have classes from 0 to {len(CLASSES) - 1}. "
            f"Found {records[first, 0]} in picture {first + 1:,}: get it again."
        )
    return records
