"""The softmax with a sink: weight that no place earns goes nowhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.normaliser.base import Normaliser, masked_softmax, widened


class SinkNormaliser(Normaliser):
    """w_k = e^{s_k} / (e^θ + Σ_j e^{s_j}), j over the places in sight, θ learnt for each head from 0.

    The sink is one more place, of score θ and value 0: "none of these". A softmax must spread a weight of 1 over a
    history in which nothing resembles the candidate; here the context stays near zero then.

    Args:
        dim: E, the width of one head.
        heads: H.

    Source: Xiao et al. 2024, §3.3, with θ = 0 (Softmax-off-by-One, Miller 2023). The learnt θ is ours.
    """

    sums_to_one = False

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        self.theta = nn.Parameter(torch.zeros(heads, 1, 1))

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        wide = widened(scores)
        sink = self.theta.to(wide.dtype).expand(*wide.shape[:-1], 1)
        if allow is not None:
            allow = functional.pad(allow.expand(*allow.shape[:-1], wide.shape[-1]), (0, 1), value=True)
        return masked_softmax(torch.cat((wide, sink), dim=-1), allow)[..., :-1].to(scores.dtype)
