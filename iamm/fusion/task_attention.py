"""MTAN: a shared network, and soft masks of each scene over its features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from iamm.constraints import Layers, ShareBelow1
from iamm.encoder.base import NormedFeedForward
from iamm.fusion.by_scene import ByScene, BySceneFusion


class MaskedLayer(nn.Module):
    """p' = p + feedforward(norm p) and â = σ(W₂ relu(W₁ read)) ⊙ p', W₁ and W₂ of a scene.

    Args:
        scenes: names of all S scenes.
        dim: D.
        width: of what a mask reads.
        hidden: hidden width of the shared layer.
        dropout: share dropped of the hidden units.
    """

    def __init__(self, scenes: Sequence[str], dim: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.block = NormedFeedForward(dim, hidden, dropout)
        self.masks = ByScene(scenes, lambda: nn.Sequential(nn.Linear(width, dim), nn.ReLU(), nn.Linear(dim, dim)))

    def forward(self, shared: Tensor, read: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """p' and â, (B, T, D) each."""
        shared = shared + self.block(shared)
        return shared, self.masks[name](read).sigmoid() * shared


class TaskAttentionFusion(BySceneFusion):
    """x'_s = â_L, â_l = σ(M_s,l [p_{l−1}; â_{l−1}]) ⊙ p_l, p_l = p_{l−1} + feedforward_l(norm p_{l−1}), p_0 = x_s.

    MTAN (Liu, Johns and Davison 2019, eqs. 1 and 2): p is shared by all scenes, the masks σ(M_s,l ·) are a scene's own;
    the first of them reads p_0 alone. M_s,l is W₂ relu(W₁ ·). Ours: linear layers position by position instead of
    convolutions, no batch normalisation, no shared layer between a mask and the next one, and a mask reads what enters
    layer l, where the source reads features from within it.

    Args:
        scenes: names of all S scenes.
        dim: D.
        layers: L, shared layers, each with a mask for each scene.
        feed_forward: hidden width of a shared layer, as a multiple of D.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        layers: Layers = 2,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        widths = (dim, *[2 * dim] * (layers - 1))
        self.layers = nn.ModuleList(
            MaskedLayer(self.scenes, dim, width, feed_forward * dim, dropout) for width in widths
        )

    def mapped(self, values: Tensor, name: str) -> Tensor:
        shared, read, attended = values, values, values
        for layer in self.layers:
            shared, attended = layer(shared, read, name)
            read = torch.cat((shared, attended), dim=-1)  # (B, T, 2·D)
        return attended
