"""A plain network that is given the scene's name as one more feature."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from iamm.constraints import Layers, ShareBelow1, Width
from iamm.fusion.by_scene import ByScene, BySceneFusion, SceneVector


class SceneFeatureFusion(BySceneFusion):
    """x'_s = x_s + W₂ relu(W₁ [norm x_s; e_s]): the network `shared`, with a learnt vector of the scene as an input.

    The plainest way to show a shared network which scene it reads: an embedded category (Guo and Berkhahn 2016, §3).
    Since W₁ is linear, e_s gives the hidden units a bias of each scene.

    Args:
        scenes: names of all S scenes.
        dim: D.
        width: numbers of e_s.
        feed_forward: hidden width, as a multiple of D.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        width: Width = 16,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        hidden = feed_forward * dim
        self.norm = nn.LayerNorm(dim)
        self.vectors = ByScene(self.scenes, lambda: SceneVector(width))
        self.layers = nn.Sequential(
            nn.Linear(dim + width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim)
        )

    def mapped(self, values: Tensor, name: str) -> Tensor:
        return values + self.layers(self.vectors[name](self.norm(values)))
