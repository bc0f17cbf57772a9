"""Features from which nobody can tell the target from the known scenes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Count, Positive
from iamm.model.scene_network import SceneNetwork
from iamm.reversal import Reversal, strength
from iamm.transfer.base import Material
from iamm.transfer.replay import Read, ReplayTransfer


class AdversarialTransfer(ReplayTransfer):
    """P = mean_s CE(D(R_λ(z)), s) over the known scenes and the target: domain-adversarial training.

    R_λ reverses gradients, λ = 2 / (1 + e^(−10 p)) − 1 with p the progress of the transfer: D learns at the full rate
    to name the scene, and the model gets −λ times the gradient. z (D) is what the classifier's last layer reads, and
    the discriminator has two hidden layers of 2 D units. It reads the target's inputs without labels, and takes their
    classes to be as frequent as those of the known scenes.

    Source: Ganin et al. 2016, eqs. 9 and 10. Ours: all scenes are told apart (there: two domains), and the model begins
    from the source run's.

    Args:
        weight: of P.
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples of each scene a step; fewer where there are fewer.
    """

    reads_unlabelled = True
    discriminator: nn.Module

    def __init__(self, *, weight: Positive = 1.0, steps: Count = 100, rate: Positive = 1e-3, batch: Count = 32) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)
        self.weight = weight

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        scenes = len(material.known_batches(model, self.batch)) + 1
        self.discriminator = discriminator(model.fusion.dim, scenes).to(material.device)
        super().adapt(model, material)

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.discriminator.parameters()

    def penalty(self, known: Sequence[Read], target: Read, step: int) -> Tensor:
        vectors = [each.vectors for each in (*known, target)]
        return scene_loss(self.discriminator, vectors, strength(step / self.steps))


def discriminator(width: int, scenes: int) -> nn.Sequential:
    """D: (B, width) → logits (B, scenes)."""
    hidden = 2 * width
    return nn.Sequential(
        *(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, scenes))
    )


def scene_loss(discriminate: nn.Module, vectors: Sequence[Tensor], strength: float) -> Tensor:
    """mean_s CE(D(R_λ(z)), s) of a batch (B_s, D) of each scene.  # ()"""
    losses = []
    for number, each in enumerate(vectors):
        logits = discriminate(Reversal.apply(each, strength))
        losses.append(functional.cross_entropy(logits, torch.full_like(logits[:, 0], number, dtype=torch.int64)))
    return torch.stack(losses).mean()
