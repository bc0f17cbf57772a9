"""Rows of a data set → tensors for a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from iamm import processes
from iamm.dataset.base import Dataset, Scene, SceneBatch
from iamm.engine.sampler import evaluation_batches


class Augment(Protocol):
    """Changes the fields of one kind, each example by (seed, epoch, row)."""

    field: str

    def __call__(self, inputs: Tensor, index: Tensor, *, seed: int, epoch: int, scene: Scene) -> Tensor: ...


def collate(
    dataset: Dataset,
    split: str,
    rows: Tensor,
    device: torch.device,
    *,
    augment: Mapping[str, Augment] | None = None,
    seed: int = 0,
    epoch: int = 0,
) -> dict[str, SceneBatch]:
    """The given instances of a data set as one batch for each of its scenes.

    Args:
        dataset: its scenes share the rows.
        split: train, validation or test.
        rows: (B,) int64.
        device: of the batch.
        augment: name → augmentation of the fields of one kind.
        seed, epoch: for `augment`.
    """
    return {
        scene.name: scene_batch(scene, split, rows, augment or {}, seed, epoch).to(device) for scene in dataset.scenes
    }


def all_batches(datasets: Sequence[Dataset], split: str, device: torch.device) -> Iterator[dict[str, SceneBatch]]:
    """All examples of a split, one data set after another, in the batches of an evaluation."""
    for dataset in datasets:
        for rows in evaluation_batches(dataset, split):
            yield collate(dataset, split, rows, device)


def scene_batch(
    scene: Scene, split: str, rows: Tensor, augment: Mapping[str, Augment], seed: int, epoch: int
) -> SceneBatch:
    part = scene.splits[split].rows(rows)
    inputs = {name: field.batched(part.inputs[name]) for name, field in scene.fields.items()}
    for change in augment.values():
        for name in (name for name, field in scene.fields.items() if field.kind == change.field):
            inputs[name] = change(inputs[name], rows, seed=seed, epoch=epoch, scene=scene)
    references = tuple(texts[row] for row in rows.tolist()) if (texts := scene.references.get(split)) else ()
    return SceneBatch(inputs, scene.target_field.batched(part.targets), part.present, references)


def own_batch(dataset: Dataset, rows: Tensor, device: torch.device, **options: Any) -> dict[str, SceneBatch]:
    """This process's part of a training batch; without a share of a small one, an example that is absent.

    Args:
        dataset, rows, device: as of `collate`, with the rows of all processes.
        options: further arguments of `collate`.
    """
    own = processes.part(rows)
    batch = collate(dataset, "train", own if len(own) else rows[:1], device, **options)
    if len(own):
        return batch
    return {name: part._replace(present=torch.zeros_like(part.present)) for name, part in batch.items()}
