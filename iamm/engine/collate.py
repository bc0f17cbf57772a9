"""Rows of a data set → tensors for a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from iamm.dataset.base import Dataset, Scene, SceneBatch

Augment = Callable[..., Tensor]


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
    """One aligned group: the given instances as each scene sees them.

    Args:
        dataset: its scenes share the rows.
        split: train, validation or test.
        rows: (B,) int64.
        device: where the batch goes.
        augment: per kind of input, what changes it; a function of (seed, epoch, row) for each example.
        seed, epoch: for `augment`.
    """
    return {
        scene.name: scene_batch(scene, split, rows, augment or {}, seed, epoch).to(device) for scene in dataset.scenes
    }


def scene_batch(
    scene: Scene, split: str, rows: Tensor, augment: Mapping[str, Augment], seed: int, epoch: int
) -> SceneBatch:
    part = scene.splits[split]
    inputs, targets = trimmed(part.inputs[rows]), trimmed(part.targets[rows])
    if scene.kind == "image":
        inputs = inputs.to(torch.float32) / 255.0
    if scene.kind in augment:
        extra = {} if scene.source is None else {"vocabulary": len(scene.source)}
        inputs = augment[scene.kind](inputs, rows, seed=seed, epoch=epoch, **extra)
    return SceneBatch(inputs, targets, part.present[rows])


def trimmed(values: Tensor) -> Tensor:
    """Token ids (B, T) without the columns that are padding in every row (one column at least); others as they are."""
    if values.dim() != 2:
        return values
    longest = int((values != 0).sum(dim=1).max())
    return values[:, : max(longest, 1)]
