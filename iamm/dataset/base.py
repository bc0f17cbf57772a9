"""What every data set gives: scenes with disjoint splits, held in memory as tensors."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from iamm.dataset.vocabulary import Vocabulary
from iamm.errors import BadDataError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """N examples of one scene. An absent view has an empty input; its target is kept, but counts nowhere.

    Shapes:
        inputs: pictures (N, channels, height, width) uint8, or token ids (N, T) int64, padded with 0
        targets: classes (N,) int64, or token ids (N, T) int64: BOS … EOS, padded with 0
        present: (N,) bool, False where this view of the instance is missing
    """

    inputs: Tensor
    targets: Tensor
    present: Tensor

    def __len__(self) -> int:
        return self.inputs.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.inputs, self.targets, self.present))


class SceneBatch(NamedTuple):
    """B examples of one scene, as a network takes them: pictures are float32 in [0, 1], padding is trimmed.

    Shapes:
        inputs: (B, channels, height, width) float32, or (B, T) int64
        targets: (B,) int64, or (B, T) int64
        present: (B,) bool
    """

    inputs: Tensor
    targets: Tensor
    present: Tensor

    def to(self, device: torch.device) -> SceneBatch:
        return SceneBatch(*(tensor.to(device, non_blocking=True) for tensor in self))


@dataclass(frozen=True)
class Scene:
    """One source of data with one task.

    Args:
        name: as in `dataset=`, and in every tag and table; a data set of several views appends the view's name.
        kind: of the inputs, `image` or `text`; picks the encoder.
        task: `classification` or `generation`; picks the head.
        splits: train, validation and test, with no example in common.
        classes: a name for each class of a classification.
        source: the vocabulary of the inputs, where they are text.
        target: the vocabulary of the targets, where they are text.
    """

    name: str
    kind: str
    task: str
    splits: Mapping[str, Split]
    classes: tuple[str, ...] = ()
    source: Vocabulary | None = None
    target: Vocabulary | None = None


@dataclass
class Dataset:
    """One or several scenes over the same instances: row i of each scene is a view of instance i.

    A function of (seed, scene, split): the same on every machine. Scenes of different data sets are unpaired.

    Args:
        name: as in `dataset=`.
        scenes: aligned; one for most data sets.
        batch_size: instances a step (an upper limit where `batch_tokens` is given).
        batch_tokens: target tokens a step, padding included; batches are then cut from examples of like length.
        notices: what a user should know about the data; those on examples that splits share are added here.
        files: name → SHA-256 of the files that it was read from, noted by who builds it.

    Raises:
        BadDataError: a split without an example.
        ValueError: a batch of nothing; scenes that are not aligned.
    """

    name: str
    scenes: tuple[Scene, ...]
    batch_size: int = 64
    batch_tokens: int | None = None
    notices: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        require_count("batch_size", self.batch_size)
        if self.batch_tokens is not None:
            require_count("batch_tokens", self.batch_tokens)
        for split in SPLITS:
            require_examples(self.scenes, split)
        self.notices = (*self.notices, *(notice for scene in self.scenes for notice in overlap_notices(scene)))

    def size(self, split: str) -> int:
        return len(self.scenes[0].splits[split])

    def checksum(self) -> str:
        """SHA-256 of every tensor of every split: two runs with the same sum saw the same data."""
        digest = hashlib.sha256()
        for scene in self.scenes:
            for split in SPLITS:
                for tensor in scene.splits[split]:
                    digest.update(str((scene.name, split, tuple(tensor.shape))).encode())
                    digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


def require_examples(scenes: tuple[Scene, ...], split: str) -> None:
    """Each scene has an example in the split, and all have as many rows."""
    for scene in scenes:
        if not scene.splits[split].present.any():
            raise BadDataError(
                f"Each split of a scene needs an example. Found none in {scene.name}/{split}: give it more data."
            )
    sizes = {scene.name: len(scene.splits[split]) for scene in scenes}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"Scenes of one data set must have the same instances. Found in {split}: {sizes}.")


def overlap_notices(scene: Scene) -> list[str]:
    """One line for each pair of splits that share examples (some public data sets do)."""
    return shared_notices(scene.name, "examples", {split: examples(scene.splits[split]) for split in SPLITS})


def examples(split: Split) -> set[tuple[bytes, bytes]]:
    """The content, input and target, of each present example."""
    kept = split.present.numpy()
    inputs, targets = (row_bytes(tensor.numpy()[kept]) for tensor in (split.inputs, split.targets))
    return set(zip(inputs, targets, strict=True))


def row_bytes(rows: np.ndarray) -> list[bytes]:
    """Each row's bytes without the zeros behind them (numpy drops those of an `S` type), hence without padding."""
    flat = np.ascontiguousarray(rows.reshape(len(rows), math.prod(rows.shape[1:])))
    if flat.size == 0:
        return [b""] * len(rows)
    return flat.view(f"S{flat.shape[1] * flat.itemsize}").ravel().tolist()


def shared_notices(name: str, what: str, contents: Mapping[str, set]) -> list[str]:
    """One line for each pair of splits whose contents meet."""
    pairs = (("validation", "train"), ("test", "train"), ("test", "validation"))
    shared = {(a, b): len(contents[a] & contents[b]) for a, b in pairs}
    return [
        f"{name}: {count:,} of {len(contents[a]):,} distinct {a} {what} also stand in {b}."
        for (a, b), count in shared.items()
        if count
    ]


def random_generator(seed: int, *purpose: str) -> np.random.Generator:
    """Random numbers for one purpose: what another purpose draws, or whether it draws at all, changes nothing here."""
    require_count("seed", seed, least=0)
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in purpose)])


def require_count(name: str, value: int, least: int = 1) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(f"`{name}` must be a whole number of at least {least}. Found {value}.")


def require_between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"`{name}` must lie between {low} and {high}. Found {value}.")
