"""The entmax normaliser, between softmax and sparsemax."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import Normaliser, below_highest, fill_hidden, highest


class EntmaxNormaliser(Normaliser):
    """w_k = max(s_k/2 − τ, 0)² with τ such that Σ_k w_k = 1: α-entmax with α = 1.5.

    Smooth as softmax (α = 1), exactly zero for low scores as sparsemax (α = 2). The derivative is
    ∂w_i/∂s_j = r_i [i = j] − r_i r_j / Σr with r = √w.

    Cost: O(K log K) a row, for the sort.

    Source: Peters, Niculae and Martins 2019, §3 and algorithm 2.
    """

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        lowered = (below_highest(scores, allow) / 2).clamp(min=-1.0)  # τ ≥ max s/2 − 1: what is lower has no weight
        support = lowered > threshold(lowered.detach())
        count = support.sum(dim=-1, keepdim=True)  # (…, 1)
        mean = lowered.where(support, 0.0).sum(dim=-1, keepdim=True) / count
        spread = (lowered - mean).square().where(support, 0.0).sum(dim=-1, keepdim=True)
        tau = mean - ((1.0 - spread) / count).sqrt()  # (…, 1)
        weights = torch.relu(lowered - tau).square()
        return fill_hidden(weights, allow, 0.0).to(scores.dtype)


def threshold(scores: Tensor) -> Tensor:
    """τ = max of those τ_k ≤ s_(k), where τ_k = mean − √((1 − spread)/k) solves Σ_{j ≤ k} (s_(j) − τ)² = 1."""
    ordered = scores.sort(dim=-1, descending=True).values
    count = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    mean = ordered.cumsum(-1) / count
    spread = ordered.square().cumsum(-1) - count * mean.square()
    roots = mean - ((1.0 - spread) / count).clamp(min=0.0).sqrt()
    return highest(roots.where(roots <= ordered, -1.0))  # (…, 1)
