"""The base class of data sets: scenes with disjoint splits, held in memory as tensors."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from iamm.constrained import Constrained, check_fields, require
from iamm.constraints import Count, Number
from iamm.dataset.fields import Field
from iamm.dataset.overlap import row_bytes, shared_notices
from iamm.dataset.split import Split, picked
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import Vocabulary
from iamm.errors import BadDataError
from iamm.soft_targets import SoftTargets

SPLITS = ("train", "validation", "test")


class SceneBatch(NamedTuple):
    """B examples of one scene, as a network reads them: pixels are float32 in [0, 1], padding is trimmed.

    Shapes:
        inputs: by the name of the field: (B, channels, height, width) float32, or (B, T) int64, say
        targets: (B,) int64, (B,) float64, or (B, T) int64, say
        present: (B,) bool
        references: the published texts of B targets, where the scene has them
        soft: a teacher's answers, in a training that has one
    """

    inputs: Mapping[str, Tensor]
    targets: Tensor
    present: Tensor
    references: tuple[str, ...] = ()
    soft: SoftTargets | None = None

    def to(self, device: torch.device) -> SceneBatch:
        inputs = {name: values.to(device, non_blocking=True) for name, values in self.inputs.items()}
        targets, present = (values.to(device, non_blocking=True) for values in (self.targets, self.present))
        return SceneBatch(inputs, targets, present, self.references)

    def rows(self, rows: Tensor) -> SceneBatch:
        """Some of the examples, in the order of `rows`."""
        references = tuple(self.references[row] for row in rows.tolist()) if self.references else ()
        return SceneBatch(picked(self.inputs, rows), self.targets[rows], self.present[rows], references)


@dataclass(frozen=True)
class Scene:
    """One source of data with one task.

    Args:
        name: as in `dataset=`, in tags and in tables; a data set of several views appends the view's name.
        kind: of the inputs, such as `image` or `text`; picks the encoder.
        task: such as `classification`, `generation` or `regression`; picks the head.
        splits: train, validation and test, with no example in common; others, such as `unlabelled`, are optional.
            A split that nothing reads may be empty or missing.
        fields: declarations of the inputs, by name; a scene with one input names it as its kind.
        target_field: declaration of the targets.
        classes: a name for each class of a classification.
        source: the vocabulary of the inputs, where they are text.
        target: the vocabulary of the targets, where they are text.
        text_format: how a text of the inputs is tidied and cut, where they are text.
        references: of a split, the text of each target as it was published; where there is none, targets are decoded.
    """

    name: str
    kind: str
    task: str
    splits: Mapping[str, Split]
    fields: Mapping[str, Field]
    target_field: Field
    classes: tuple[str, ...] = ()
    source: Vocabulary | None = None
    target: Vocabulary | None = None
    text_format: TextFormat | None = None
    references: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass
class Dataset(Constrained):
    """One or several scenes over the same instances: row i of each scene is a view of instance i.

    A function of (seed, scene, split): the same on every machine. Scenes of different data sets are unpaired.

    Args:
        name: as in `dataset=`.
        scenes: aligned; one for most data sets.
        batch_size: instances a step (an upper limit where `batch_tokens` is given).
        batch_tokens: target tokens a step, padding included; batches are then made of examples of similar length.
        notices: on the data, for the user; notices on examples that splits share are added.
        files: name → SHA-256 of the files that it was read from; set by the caller.

    Raises:
        ValueError: a batch size below 1; scenes that are not aligned.
    """

    provides: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Properties of the scenes, for the checks before the data are read: `name` (arguments in braces), `kind`, `task`,
    and the `side` of pictures in pixels. Where `views` is an argument, it holds the kinds of the scenes. A user's data
    set has an argument `name`, its key under `dataset`, which names its scene; with a column `scene` there is a scene
    for each of `scenes`, or, without these, for each value in the file.
    """

    task_by: ClassVar[Mapping[str, str]] = {}
    """Argument → the task that the scenes have where it is given, in place of that in `provides`."""

    name: str
    scenes: tuple[Scene, ...]
    batch_size: Count = 64
    batch_tokens: Count | None = None
    notices: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        check_fields(self)
        for split in self.splits():
            require_aligned(self.scenes, split)
        self.notices = (*self.notices, *(notice for scene in self.scenes for notice in overlap_notices(scene)))

    def splits(self) -> list[str]:
        """The names of all splits, the standard ones first."""
        present = {split for scene in self.scenes for split in scene.splits}
        return [*(split for split in SPLITS if split in present), *sorted(present.difference(SPLITS))]

    def require(self, *splits: str) -> None:
        """Check that each scene has an example in the given splits.

        Raises:
            BadDataError: a split is missing, or has no present example.
        """
        for scene in self.scenes:
            for split in splits:
                if split not in scene.splits or not scene.splits[split].present.any():
                    raise BadDataError(
                        "A split that is read needs an example of each scene. "
                        f"Found none in {scene.name}/{split}: give it more data."
                    )

    def labelled(self, shots: int, seed: int) -> Dataset:
        """A copy with k labelled training examples of each class; the examples for k are the first of those for 2k.

        Args:
            shots: k, present examples of each class of the first scene with classes.
            seed: of the draw.

        Raises:
            ValueError: no scene has classes; a class has fewer examples.
        """
        require({"shots": Number(1, whole=True)}, {"shots": shots})
        rows = labelled_rows(self, shots, random_generator(seed, self.name, "labelled"))
        scenes = tuple(
            replace(scene, splits={**scene.splits, "train": scene.splits["train"].rows(rows)}) for scene in self.scenes
        )
        overlaps = {notice for scene in self.scenes for notice in overlap_notices(scene)}
        notices = tuple(notice for notice in self.notices if notice not in overlaps)
        return Dataset(self.name, scenes, self.batch_size, self.batch_tokens, notices)

    @property
    def names(self) -> list[str]:
        return [scene.name for scene in self.scenes]

    def size(self, split: str) -> int:
        return len(self.scenes[0].splits[split])

    def only(self, scenes: Collection[str]) -> Dataset:
        """A copy with the given scenes only."""
        part = copy(self)
        part.scenes = tuple(scene for scene in self.scenes if scene.name in scenes)
        return part

    def checksum(self) -> str:
        """SHA-256 of all tensors of all splits, which identifies the data of a run."""
        digest = hashlib.sha256()
        for scene in self.scenes:
            for split in self.splits():
                for tensor in scene.splits[split]:
                    digest.update(str((scene.name, split, tuple(tensor.shape))).encode())
                    digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()


def labelled_rows(dataset: Dataset, shots: int, generator: np.random.Generator) -> Tensor:
    """Rows of the training split, one of each class in turn, k times.  # (k · C,)"""
    scene = next((scene for scene in dataset.scenes if scene.classes), None)
    if scene is None:
        raise ValueError(f"`labelled` needs a scene with classes. Found none in {dataset.name}: take another data set.")
    train = scene.splits["train"]
    chosen = []
    for label, name in enumerate(scene.classes):
        rows = ((train.targets == label) & train.present).nonzero()[:, 0].numpy()
        if len(rows) < shots:
            raise ValueError(
                f"`shots` must not exceed the training examples of a class. Found shots={shots}, {len(rows)} of {name} "
                f"in {scene.name}: lower it."
            )
        chosen.append(generator.permutation(rows)[:shots])
    return torch.from_numpy(np.stack(chosen, axis=1).ravel())


def require_aligned(scenes: tuple[Scene, ...], split: str) -> None:
    """Check that all scenes have the same number of rows in the split."""
    sizes = {scene.name: len(scene.splits[split]) if split in scene.splits else 0 for scene in scenes}
    if len(set(sizes.values())) != 1:
        raise ValueError(f"Scenes of one data set must have the same instances. Found in {split}: {sizes}.")


def overlap_notices(scene: Scene) -> list[str]:
    """One line for each pair of splits that share examples (some public data sets do)."""
    contents = {split: examples(scene, scene.splits[split]) for split in SPLITS if split in scene.splits}
    return shared_notices(scene.name, "examples", contents)


def examples(scene: Scene, split: Split) -> set[tuple[bytes, ...]]:
    """The content, inputs and target, of each present example, without padding."""
    present = split.present.numpy()
    columns = [(field, split.inputs[name]) for name, field in scene.fields.items()]
    columns.append((scene.target_field, split.targets))
    contents = [
        row_bytes((values - field.padding if field.padding else values).numpy()[present]) for field, values in columns
    ]
    return set(zip(*contents, strict=True))


def random_generator(seed: int, *purpose: str) -> np.random.Generator:
    """A generator for one purpose, independent of the draws for other purposes."""
    return np.random.default_rng([seed, *(zlib.crc32(word.encode()) for word in purpose)])
