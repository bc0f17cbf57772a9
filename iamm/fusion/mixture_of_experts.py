"""MMoE: shared experts, and a gate for each scene."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from iamm.constraints import Layers, ShareBelow1, Width
from iamm.fusion.by_scene import ByScene, BySceneFusion
from iamm.fusion.experts import Experts, mixture


class MixtureOfExpertsFusion(BySceneFusion):
    """x'_s = x_s + Σ_i g_i E_i(u), g = softmax(W_s u), u = norm(x_s): MMoE (Ma et al. 2018, eqs. 6 and 7).

    Ours: it routes each position rather than one vector of an example, and adds the result to a residual path, as the
    shared trunk of `shared` does; the towers of the paper are the scenes' heads, which `share.head=kind` makes one.
    Nothing depends on other examples: public code with batch normalisation inside the gate does.

    Args:
        scenes: names of all S scenes.
        dim: D.
        experts: E; the paper has 8.
        feed_forward: hidden width of an expert, as a multiple of D.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        experts: Width = 4,
        feed_forward: Layers = 1,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        self.norm = nn.LayerNorm(dim)
        self.experts = Experts(experts, dim, feed_forward * dim, dropout)
        self.gates = ByScene(self.scenes, lambda: nn.Linear(dim, experts, bias=False))

    def mapped(self, values: Tensor, name: str) -> Tensor:
        normed = self.norm(values)
        return values + mixture(self.gates[name](normed), self.experts(normed))
