"""The vote of the nearest labelled examples: nothing is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Count, Positive
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer
from iamm.transfer.prototypes import labelled_vectors, replace_output, require_classifier

NO_VOTE = 1e-6
"""Stands for a class without a neighbour, so that its probability is not 0."""


class NearestNeighboursTransfer(Transfer):
    """p(y | x) ∝ Σ_i [y_i = y] exp(cos(z, z_i) / τ) over the `neighbours` labelled examples with the largest cosine.

    z is what the source's classifier reads. The examples are the target's k of each class; without labels, all training
    examples of the known scenes that share the target's head. Weighted voting as in Wu et al. (2018, §3.4).

    Args:
        neighbours: their number; fewer where there are fewer examples.
        temperature: τ.
    """

    def __init__(self, *, neighbours: Count = 10, temperature: Positive = 0.1) -> None:
        self.neighbours, self.temperature = neighbours, temperature

    def check(self, model: SceneNetwork, material: Material) -> None:
        require_classifier(model.heads[material.name])

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        model.train(False)
        vectors, classes = labelled_vectors(model, material)
        votes = functional.one_hot(classes, len(material.target.scenes[0].classes)).to(vectors.dtype)
        replace_output(model, material.name, NearestNeighbours(vectors, votes, self.neighbours, self.temperature))


class NearestNeighbours(nn.Module):
    """ln of the votes' sum for each class: (B, D) → (B, C).

    Args:
        vectors: z_i (N, D).
        votes: one-hot classes (N, C).
        neighbours: number of votes that count.
        temperature: τ.
    """

    vectors: Tensor
    votes: Tensor

    def __init__(self, vectors: Tensor, votes: Tensor, neighbours: int, temperature: float) -> None:
        super().__init__()
        self.neighbours, self.temperature = min(neighbours, len(vectors)), temperature
        self.register_buffer("vectors", functional.normalize(vectors, dim=-1))
        self.register_buffer("votes", votes)

    def forward(self, vectors: Tensor) -> Tensor:
        cosines = functional.normalize(vectors, dim=-1) @ self.vectors.T  # (B, N)
        nearest, chosen = cosines.topk(self.neighbours, dim=-1)  # (B, k)
        weights = torch.exp((nearest - nearest[:, :1]) / self.temperature)
        return ((weights[:, :, None] * self.votes[chosen]).sum(dim=1) + NO_VOTE).log()
