"""A log that says who met the target's items, and not how they liked them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from iamm.constraints import OneOf
from iamm.dataset.base import Dataset, Split
from iamm.dataset.vocabulary import UNKNOWN
from iamm.model.scene_network import SceneNetwork
from iamm.model.sharing import pooled
from iamm.transfer.base import Material, Transfer

HELD = ("validation", "test")
HISTORY = ("history", "values", "ages")
"""What an example holds of its user's history."""


class UnlabelledLogTransfer(Transfer):
    """What the target's encoder knows of items is computed anew, from the known scenes and the target's log.

    The log is the target's training examples without labels: their users and candidates. Of a feed or a genre that
    nobody has judged yet it says which items are popular, and which ones the same users meet. Nothing is trained. The
    items need ids (`catalogue=true` in the data set), and a negative that is drawn would count as met (`negatives=0`).

    Args:
        control: `shuffled` measures the target with another user's history for each user: if that ranks as well, it is
            not the user's interest that migrates.

    Source: Hu, Koren and Volinsky 2008, §2 (what was watched says something, whatever its watchers thought of it).
    """

    reads_labels = False
    reads_unlabelled = True

    def __init__(self, *, control: Annotated[str, OneOf(("learnt", "shuffled"))] = "learnt") -> None:
        self.control = control

    def check(self, model: SceneNetwork, material: Material) -> None:
        encoder = model.encoder(material.name)
        if not encoder.reads_logs:
            raise ValueError(
                f"A log without labels needs an encoder that learns of items from it. Found {type(encoder).__name__}: "
                "choose model=gaussian_process, or another transfer."
            )
        if (log_of(material).inputs["candidate"] == UNKNOWN).all():
            raise ValueError(
                f"A log tells items apart by their ids. Found no item of {material.name} with one: "
                "set catalogue=true in the data set."
            )

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        encoder = model.encoder(material.name)
        scenes = [scene for dataset in material.known for scene in dataset.scenes]
        alike = [scene for scene in scenes if model.encoder(scene.name) is encoder]
        encoder.learn_items(pooled(alike, "encoder").splits["train"], log_of(material))

    def measured(self, target: Dataset) -> Dataset:
        if self.control == "learnt":
            return target
        part = copy(target)
        part.scenes = tuple(replace(scene, splits=shuffled(scene.splits)) for scene in target.scenes)
        return part


def shuffled(splits: Mapping[str, Split]) -> dict[str, Split]:
    """Validation and test, where all examples of a user have the history of the next user's first example."""
    return {
        name: Split(strangers(split.inputs), split.targets, split.present)
        for name, split in splits.items()
        if name in HELD
    }


def strangers(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inputs with another user's history, with its values and ages; the only user of a split keeps the own one."""
    users, which = np.unique(inputs["user"].numpy(), return_inverse=True)
    _, first = np.unique(which, return_index=True)  # a row of each user
    other = torch.from_numpy(first[(which + 1) % len(users)])
    return {name: values[other] if name in HISTORY else values for name, values in inputs.items()}


def log_of(material: Material) -> Split:
    return material.target.scenes[0].splits["unlabelled"]
