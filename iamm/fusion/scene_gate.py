"""EPNet: the scene and the example decide how much each feature counts."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from iamm.constraints import ShareBelow1, Width
from iamm.fusion.by_scene import ByScene, BySceneFusion, SceneVector


class SceneGateFusion(BySceneFusion):
    """x'_s = 2 σ(W₂ relu(W₁ [sg(x_s); e_s])) ⊙ x_s, sg: no gradient: EPNet of PEPNet (Chang et al. 2023, eqs. 2 to 4).

    W₂ and its bias begin as 0, so every gate begins as exactly 1: ours, for a start that changes nothing. Ours too: the
    gate is applied position by position, and e_s is the scene's learnt vector alone, without counts of users and items.

    Args:
        scenes: names of all S scenes.
        dim: D.
        width: numbers of e_s.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(self, scenes: Sequence[str], dim: int, *, width: Width = 16, scene_dropout: ShareBelow1 = 0.1) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        self.vectors = ByScene(self.scenes, lambda: SceneVector(width))
        self.gate = nn.Sequential(nn.Linear(dim + width, dim), nn.ReLU(), nn.Linear(dim, dim))
        for parameter in self.gate[2].parameters():
            nn.init.zeros_(parameter)

    def mapped(self, values: Tensor, name: str) -> Tensor:
        return 2 * self.gate(self.vectors[name](values.detach())).sigmoid() * values
