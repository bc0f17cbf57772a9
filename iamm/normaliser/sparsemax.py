"""The sparsemax normaliser: the point of the simplex nearest to the scores."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import Normaliser, below_highest, fill_hidden, highest


class SparsemaxNormaliser(Normaliser):
    """w = argmin over the simplex of ‖p − s‖², which is w_k = max(s_k − τ, 0) with τ such that Σ_k w_k = 1.

    Low scores get exactly zero weight. The derivative is ∂w_i/∂s_j = [i = j] − 1/|S| within the support S = {w > 0},
    zero elsewhere.

    Cost: O(K log K) a row, for the sort.

    Source: Martins and Astudillo 2016, eq. 2, algorithm 1, and §2.5 for the derivative.
    """

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        lowered = below_highest(scores, allow).clamp(min=-1.0)  # τ ≥ max s − 1: what is lower has no weight
        support = lowered > threshold(lowered.detach())
        total = lowered.where(support, 0.0).sum(dim=-1, keepdim=True)
        tau = (total - 1.0) / support.sum(dim=-1, keepdim=True)  # (…, 1)
        weights = torch.relu(lowered - tau)
        return fill_hidden(weights, allow, 0.0).to(scores.dtype)


def threshold(scores: Tensor) -> Tensor:
    """τ = max_k τ_k, where τ_k would make the k highest scores sum to 1: too few or too many give a lower one."""
    ordered = scores.sort(dim=-1, descending=True).values
    count = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    return highest((ordered.cumsum(-1) - 1.0) / count)  # (…, 1)
