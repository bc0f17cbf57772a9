"""Plain multi-task learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from iamm.constraints import Layers, ShareBelow1
from iamm.encoder.base import Features, NormedFeedForward
from iamm.fusion.base import Fused, Fusion


class SharedFusion(Fusion):
    """x'_s = x_s + feedforward(norm x_s), the same layers for all scenes: hard parameter sharing (Caruana 1997).

    The scenes' inputs differ in kind, so what is shared is a trunk behind their own encoders, applied place by place.
    No example sees another scene's data.

    Args:
        scenes: names of all scenes.
        dim: D.
        layers: how many residual blocks are shared.
        feed_forward: hidden width, as a multiple of D.
        dropout: share dropped of the hidden units.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        layers: Layers = 1,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim)
        self.blocks = nn.ModuleList(NormedFeedForward(dim, feed_forward * dim, dropout) for _ in range(layers))

    def forward(self, features: Mapping[str, Features]) -> Fused:
        return Fused({name: self.trunk(scene) for name, scene in features.items()}, None)

    def trunk(self, scene: Features) -> Features:
        values = scene.values
        for block in self.blocks:
            values = values + block(values)
        return Features(values, scene.allow)
