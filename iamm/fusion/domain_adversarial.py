"""Domain-adversarial training: features from which nobody can tell the scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Layers, NotNegative, ShareBelow1
from iamm.encoder.base import Features, masked_mean, present_mean
from iamm.fusion.base import Fused
from iamm.fusion.shared import SharedFusion
from iamm.reversal import Reversal, strength


class DomainAdversarialFusion(SharedFusion):
    """The trunk of `shared`, and a discriminator that learns to name the scene while the features learn to hide it.

    Penalty `domain` = `penalty` · Σ_s mean_b CE(D(R_λ(mean_t x'_s)), s) / S: each scene counts alike, an absent view
    not at all. R_λ reverses gradients, λ = 2 / (1 + e^(−10 p)) − 1 with p the progress of training (Ganin and Lempitsky
    2015, §3 and §4): D learns at the full rate, trunk and encoders get −λ times its gradient. Ours: D tells S scenes
    apart (there: two domains) and reads the mean over an example's positions. A scene that the run did not name goes
    through the trunk and pays no penalty; with one scene there is nothing to hide, and this is `shared`.

    Args:
        scenes: names of all S scenes.
        dim: D.
        layers: how many residual blocks are shared.
        feed_forward: hidden width, as a multiple of D.
        dropout: share dropped of the hidden units.
        penalty: weight of the penalty beside the scenes' losses.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        layers: Layers = 1,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
        penalty: NotNegative = 1.0,
    ) -> None:
        super().__init__(scenes, dim, layers=layers, feed_forward=feed_forward, dropout=dropout)
        self.penalty = penalty
        self.discriminator = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, 2 * dim), nn.ReLU())
        self.answers = nn.ModuleDict({name: nn.Linear(2 * dim, 1) for name in self.scenes})

    def forward(self, features: Mapping[str, Features]) -> Fused:
        fused = super().forward(features)
        if not set(self.scenes) & set(fused.features):
            return fused
        losses = torch.stack([self.loss(scene, name) for name, scene in fused.features.items()])  # (G,)
        return fused._replace(penalties={"domain": self.penalty * losses / len(self.scenes)})

    def loss(self, scene: Features, name: str) -> Tensor:
        """Cross-entropy of the scene's name, the mean over its present examples; 0 for an unknown scene."""
        if name not in self.scenes:
            return scene.values.new_zeros(())
        hidden = self.discriminator(Reversal.apply(masked_mean(scene), strength(self.progress)))
        logits = torch.cat([answer(hidden) for answer in self.answers.values()], dim=-1)  # (B, S)
        target = torch.full(logits.shape[:1], self.scenes.index(name), device=logits.device)
        each = functional.cross_entropy(logits, target, reduction="none")
        return present_mean(each, scene.present)
