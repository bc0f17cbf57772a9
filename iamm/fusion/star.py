"""STAR: the weights of every layer are a product of shared ones and the scene's own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Layers, ShareBelow1
from iamm.fusion.by_scene import ByScene, BySceneFusion


class Factor(nn.Module):
    """W_s and b_s of one scene, which begin as 1 and 0 and so change nothing.

    Args:
        shape: of W_s; b_s has its first size.
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))


class StarLinear(nn.Module):
    """(W_0 ⊙ W_s) x + b_0 + b_s.

    Args:
        scenes: names of all S scenes.
        inputs: width of x.
        outputs: width of what is given.
    """

    def __init__(self, scenes: Sequence[str], inputs: int, outputs: int) -> None:
        super().__init__()
        self.shared = nn.Linear(inputs, outputs)
        self.factors = ByScene(scenes, lambda: Factor(outputs, inputs))

    def forward(self, values: Tensor, name: str) -> Tensor:
        factor = self.factors[name]
        return functional.linear(values, self.shared.weight * factor.weight, self.shared.bias + factor.bias)


class StarNorm(nn.Module):
    """(x − mean) / std ⊙ (γ_0 ⊙ γ_s) + β_0 + β_s, over the D numbers of a position.

    Args:
        scenes: names of all S scenes.
        dim: D.
    """

    def __init__(self, scenes: Sequence[str], dim: int) -> None:
        super().__init__()
        self.shared = nn.LayerNorm(dim)
        self.factors = ByScene(scenes, lambda: Factor(dim))

    def forward(self, values: Tensor, name: str) -> Tensor:
        factor = self.factors[name]
        weight, bias = self.shared.weight * factor.weight, self.shared.bias + factor.bias
        return functional.layer_norm(values, self.shared.normalized_shape, weight, bias, self.shared.eps)


class StarFusion(BySceneFusion):
    """x'_s = x_s + V_s relu(U_s norm_s x_s), U_s = U_0 ⊙ U_s', V_s = V_0 ⊙ V_s': STAR (Sheng et al. 2021, eqs. 4 to 6).

    It begins as the network `shared`, since the scenes' factors begin as 1 and their biases as 0. Ours: the partitioned
    normalisation keeps its factors by scene, but takes mean and variance over the numbers of a position, never over a
    batch; the auxiliary network, which adds to a logit, is left out, since the heads are each scene's own (one for all
    with `share.head=kind`).

    Args:
        scenes: names of all S scenes.
        dim: D.
        feed_forward: hidden width, as a multiple of D.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        self.norm = StarNorm(self.scenes, dim)
        self.into = StarLinear(self.scenes, dim, feed_forward * dim)
        self.out = StarLinear(self.scenes, feed_forward * dim, dim)
        self.dropout = nn.Dropout(dropout)

    def mapped(self, values: Tensor, name: str) -> Tensor:
        hidden = self.into(self.norm(values, name), name).relu()
        return values + self.out(self.dropout(hidden), name)
