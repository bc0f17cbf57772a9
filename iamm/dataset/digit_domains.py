"""The same ten digits as four sources have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import torch
from torch.nn.functional import interpolate

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, Number, OneOf, Seed
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.files import bad_text, read_lines
from iamm.dataset.idx import hold_out, picture_scene, picture_split, read_files, read_pair
from iamm.errors import BadDataError

SCENES = ("mnist", "usps", "mnist_m", "optdigits")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]
CLASSES = tuple("0123456789")
MNIST_M_TEST = 2_000
"""Size of the test split that is drawn from mnist_m's only file."""
AT_ONCE = 4_096
"""Number of pictures that are resized together."""
RED_GREEN_BLUE = np.array((0.299, 0.587, 0.114), np.float32)
"""Shares of the colours in grey: ITU-R BT.601."""


class Pictures(NamedTuple):
    """N pictures (N, height, width) or (N, channels, height, width) uint8, and their classes (N,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def rows(self, rows: np.ndarray) -> Pictures:
        return Pictures(self.pixels[rows], self.labels[rows])


class DigitDomainsDataset(list[Dataset], Constrained):
    """Digits of four sources, 10 classes, in pictures of one size; each scene is a separate data set.

    `mnist`: 60,000 + 10,000, 28×28 grey. `usps`: 7,291 + 2,007, 16×16 grey. `optdigits`: 3,823 + 1,797, 8×8 grey, of
    other writers in test. `mnist_m`: 9,001 in colour over patches of photos, the published test split alone: 2,000 of
    them, drawn by the seed, are the test split here, so its numbers are not those of papers.

    Picture i of mnist_m is made of test picture i of MNIST. So beside mnist_m the test split of mnist is without the
    digits that mnist_m trains or validates with: 2,999 of the 10,000 remain.

    Args:
        data_dir: the folder of all data sets.
        seed: seed of the draws of validation pictures, and of mnist_m's test pictures.
        batch_size: pictures per step, of each scene.
        scenes: any of the four, in the order of the run.
        side: height and width of all pictures, which are resized with bilinear interpolation and antialiasing.
        colour: three channels, grey pictures with the same value in each; False: one channel.
        validation: number of training pictures held out in each scene.
        train: number of the others to train on in each scene; None for all.

    Raises:
        ValueError: an unknown scene; a number out of its range.
        MissingDataError, BadDataError: a file is missing or wrong.

    Source: LeCun et al. 1998 (MNIST); LeCun et al. 1990 and Hull 1994 (USPS); Ganin et al. 2016 (MNIST-M); Alpaydin,
    Kaynak 1998 (optdigits).
    """

    provides = ({"name": "digit_domains_{scene}", "kind": "image", "task": "classification"},)
    made_of: ClassVar = {"digit_domains_mnist_m": "mnist"}
    """Scenes that learn from the test examples of another."""

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = SCENES,
        side: Annotated[int, Number(1, 256, whole=True)] = 28,
        colour: bool = False,
        validation: Count = 500,
        train: Count | None = None,
    ) -> None:
        drawn = random_generator(seed, "digit_domains", "mnist_m", "test")
        pictures = {scene: READERS[scene](data_dir) for scene in scenes if scene != "mnist_m"}
        notices: tuple[str, ...] = ()
        if "mnist_m" in scenes:
            mnist_m = read_mnist_m(data_dir)
            order = drawn.permutation(len(mnist_m.labels))
            test, rest = order[:MNIST_M_TEST], order[MNIST_M_TEST:]
            pictures["mnist_m"] = mnist_m.rows(rest), mnist_m.rows(test)
            if "mnist" in scenes:
                pictures["mnist"], notices = without_digits(*pictures["mnist"], rest)
        made = []
        for scene in scenes:
            training, test_pictures = (
                Pictures(resized(pixels, side, colour), labels) for pixels, labels in pictures[scene]
            )
            generator = random_generator(seed, "digit_domains", scene, "validation")
            held_out, rest = hold_out(len(training.labels), generator, validation, train)
            splits = {"train": training.rows(rest), "validation": training.rows(held_out), "test": test_pictures}
            name = f"digit_domains_{scene}"
            views = picture_scene(name, {split: picture_split(*rows) for split, rows in splits.items()}, CLASSES)
            made.append(Dataset(name, (views,), batch_size, notices=notices if scene == "mnist" else ()))
        super().__init__(made)


def without_digits(
    training: Pictures, tests: Pictures, used: np.ndarray
) -> tuple[tuple[Pictures, Pictures], tuple[str, ...]]:
    """Remove from MNIST the test digits `used`, from which another scene learns; return it with a notice."""
    remaining = np.setdiff1d(np.arange(len(tests.labels)), used)
    removed = len(tests.labels) - len(remaining)
    notice = (
        f"digit_domains_mnist: {removed:,} of {len(tests.labels):,} test digits are left out: "
        "mnist_m is made of them, and learns from them here."
    )
    return (training, tests.rows(remaining)), (notice,)


def read_mnist(data_dir: str | None) -> tuple[Pictures, Pictures]:
    return Pictures(*read_pair(data_dir, "mnist/train", 10)), Pictures(*read_pair(data_dir, "mnist/t10k", 10))


def read_usps(data_dir: str | None) -> tuple[Pictures, Pictures]:
    """Read two pairs of files with values from 0 to 2,000."""
    train, test = (read_usps_pair(data_dir, f"usps/usps-{split}") for split in ("train", "test"))
    return train, test


def read_usps_pair(data_dir: str | None, stem: str) -> Pictures:
    names = f"{stem}-images-idx3-short.gz", f"{stem}-labels-idx1-ubyte.gz"
    pixels, labels = read_files(data_dir, *names, 10, type_code=11)
    if pixels.min() < 0 or pixels.max() > 2_000:
        value_range = f"{pixels.min():,} to {pixels.max():,}"
        raise BadDataError(f"{names[0]} must have values from 0 to 2,000. Found {value_range}: get it again.")
    return Pictures(scaled(pixels, 2_000), labels)


def read_mnist_m(data_dir: str | None) -> Pictures:
    """Read one pair of files, whose last axis is the colour."""
    stem = "mnist-m/mnist-m-test"
    names = f"{stem}-images-idx4-ubyte.xz", f"{stem}-labels-idx1-ubyte.gz"
    pixels, labels = read_files(data_dir, *names, 10, dimensions=4)
    if pixels.shape[3] != 3 or len(pixels) <= MNIST_M_TEST:
        rule = f"more than {MNIST_M_TEST:,} pictures of three colours"
        raise BadDataError(f"{names[0]} must have {rule}. Found {pixels.shape}: get it again.")
    return Pictures(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), labels)  # (N, 3, height, width)


def read_optdigits(data_dir: str | None) -> tuple[Pictures, Pictures]:
    train, test = (read_table(data_dir, f"optdigits/optdigits.{split}.gz") for split in ("tra", "tes"))
    return train, test


def read_table(data_dir: str | None, name: str) -> Pictures:
    """Rows of 64 values from 0 to 16 and a class, comma-separated."""
    rows = [values_of(name, line, number) for number, line in enumerate(read_lines(data_dir, name), start=1)]
    table = np.array(rows, np.uint8)  # (N, 65)
    return Pictures(scaled(table[:, :64], 16).reshape(-1, 8, 8), table[:, 64])


def values_of(name: str, line: str, number: int) -> list[int]:
    fields = line.split(",")
    for place, field in enumerate(fields):
        if not (field.isascii() and field.isdigit() and int(field) <= (16 if place < 64 else 9)):
            rule, column = "have values from 0 to 16 and a class from 0 to 9", len(",".join(fields[:place])) + 1
            raise bad_text(name, rule, repr(field[:20]), number, column + (place > 0))
    if len(fields) != 65:
        raise bad_text(name, "have 64 values and a class in each row", f"{len(fields)}", number, len(line) + 1)
    return [int(field) for field in fields]


READERS: Mapping[str, Callable[[str | None], tuple[Pictures, Pictures]]] = {
    "mnist": read_mnist,
    "usps": read_usps,
    "optdigits": read_optdigits,
}
"""Functions that read the training and test pictures of scenes with a published test split."""


def scaled(values: np.ndarray, most: int) -> np.ndarray:
    """Scale values from 0 to `most` to bytes."""
    return np.rint(values.astype(np.float32) * (255 / most)).astype(np.uint8)


def resized(pixels: np.ndarray, side: int, colour: bool) -> np.ndarray:
    """Resize all pictures to one size.  # (N, 1 or 3, side, side) uint8"""
    channels = pixels if pixels.ndim == 4 else pixels[:, None]
    parts = [converted(part, side, colour) for part in np.array_split(channels, -(-len(channels) // AT_ONCE))]
    return np.concatenate(parts)


def converted(pixels: np.ndarray, side: int, colour: bool) -> np.ndarray:
    if pixels.shape[1] == 3 and not colour:
        pixels = np.tensordot(pixels, RED_GREEN_BLUE, axes=(1, 0))[:, None]  # (N, 1, height, width)
    if pixels.shape[2:] != (side, side):
        values = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))
        pixels = interpolate(values, (side, side), mode="bilinear", antialias=True).numpy()
    pixels = np.rint(pixels).clip(0, 255).astype(np.uint8)  # (N, channels, side, side)
    return np.broadcast_to(pixels, (len(pixels), 3 if colour else 1, side, side))
