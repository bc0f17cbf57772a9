"""The nearest class mean: nothing is trained, and the head gives way to the means of a few labelled examples."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor, nn

from iamm.constraints import Positive
from iamm.dataset.base import SceneBatch
from iamm.engine.collate import all_batches
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer, scene_like


class PrototypesTransfer(Transfer):
    """p(y | x) ∝ exp(−‖z − c_y‖² / (D T)), c_y the mean of z over the target's k labelled examples of class y.

    z (D) is what the source's classifier reads: its pooled and normed features. Without labels c_y is the mean over all
    training examples of the known scenes that share the target's head. Snell et al. (2017, eqs. 1 and 2) with an
    encoder that was trained as a classifier, and with the squared distance over D, so that one temperature fits every
    width.

    Args:
        temperature: T.
    """

    def __init__(self, *, temperature: Positive = 0.1) -> None:
        self.temperature = temperature

    def check(self, model: SceneNetwork, material: Material) -> None:
        require_classifier(model.heads[material.name])

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        model.train(False)
        vectors, classes = labelled_vectors(model, material)
        count = len(material.target.scenes[0].classes)
        means = torch.stack([vectors[classes == label].mean(dim=0) for label in range(count)])  # (C, D)
        replace_output(model, material.name, NearestMean(means, self.temperature))


class NearestMean(nn.Module):
    """−‖z − c_y‖² / (D T) for each class y: (B, D) → (B, C).

    Args:
        means: c (C, D).
        temperature: T.
    """

    means: Tensor

    def __init__(self, means: Tensor, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("means", means)

    def forward(self, vectors: Tensor) -> Tensor:
        distances = (vectors[:, None] - self.means).square().mean(dim=-1)  # (B, C)
        return -distances / self.temperature


def labelled_vectors(model: SceneNetwork, material: Material) -> tuple[Tensor, Tensor]:
    """z (N, D) and class (N,) of the target's labelled examples; without any, of the known ones that share its head."""
    datasets = [material.target] if material.labelled else material.known
    parts = [
        described(model, batch, name)
        for dataset in datasets
        if (name := scene_like(model, dataset.names, material.name))
        for batch in all_batches([dataset], "train", material.device)
    ]
    return torch.cat([vectors for vectors, _ in parts]), torch.cat([classes for _, classes in parts])


@torch.no_grad()
def described(model: SceneNetwork, batch: dict[str, SceneBatch], name: str) -> tuple[Tensor, Tensor]:
    """z and the classes of a scene's present examples."""
    features, _ = model.features(batch)
    head, present = cast(Any, model.heads[name]), batch[name].present
    pooled, _ = head.pool(features[name])
    return head.norm(pooled)[present], batch[name].targets[present]


def replace_output(model: SceneNetwork, name: str, output: nn.Module) -> None:
    """Give a scene a head with another last layer, and all other layers in common with the known scenes' head."""
    shared = {id(part): part for part in model.heads[name].children()}
    head = deepcopy(model.heads[name], shared)
    head.output = output
    model.heads[name] = head


def require_classifier(head: nn.Module) -> None:
    if not all(hasattr(head, name) for name in ("pool", "norm", "output", "classes")):
        raise ValueError(
            f"This transfer reads a classifier's last layer. Found {type(head).__name__}: take another transfer."
        )
