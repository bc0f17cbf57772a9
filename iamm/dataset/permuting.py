"""Scenes whose training targets are permuted, to see what they do to the scenes that learn beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from iamm.dataset.base import Dataset, Scene, random_generator
from iamm.dataset.joining import with_scenes
from iamm.dataset.split import Split
from iamm.errors import nearest


def permuted(datasets: Sequence[Dataset], shares: Mapping[str, float], seed: int) -> list[Dataset]:
    """Permute a share of the training targets of some scenes: copies; validation, test and all inputs stay the same.

    Args:
        datasets: of the run.
        shares: scene → share of its present examples.
        seed: of the draw; the examples of a share are among those of a larger one.

    Raises:
        ValueError: a name is that of no scene.
    """
    scenes = {scene.name: scene for dataset in datasets for scene in dataset.scenes}
    for name, share in shares.items():
        if name not in scenes:
            raise ValueError(f"`permuted` must name scenes of the run. Found {name}. {nearest(name, scenes)}")
        scenes[name] = permuted_scene(scenes[name], share, seed)
    return [with_scenes(dataset, scenes) for dataset in datasets]


def permuted_scene(scene: Scene, share: float, seed: int) -> Scene:
    """Let round(share · N) of N present training examples exchange their targets; some get their own again."""
    train, generator = scene.splits["train"], random_generator(seed, "permuted", scene.name)
    present = generator.permutation(train.present.nonzero()[:, 0].numpy())
    rows = present[: round(share * len(present))]
    targets = train.targets.clone()
    targets[torch.from_numpy(rows)] = train.targets[torch.from_numpy(generator.permutation(rows))]
    return replace(scene, splits={**scene.splits, "train": Split(train.inputs, targets, train.present)})
