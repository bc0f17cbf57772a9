"""A softmax over the k highest scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from iamm.constraints import Count
from iamm.normaliser.base import Normaliser, fill_hidden, masked_softmax


class TopKNormaliser(Normaliser):
    """w = softmax(s) over the k highest scores in sight, zero elsewhere; over all of them where fewer are in sight.

    Of equal scores the first are taken, so that there are never more than k.

    It saves no time, since all scores are needed to find the highest: O(K log K) a row, for the sort. It
    reduces the number of positions read, not the cost.

    Args:
        dim: E, the width of one head.
        heads: H.
        k: number of positions that a query reads.

    Raises:
        ValueError: `k` below 1.

    Source: Zhao et al. 2019 (Explicit Sparse Transformer; there equal scores may leave more than k).
    """

    def __init__(self, dim: int, heads: int, *, k: Count = 8) -> None:
        super().__init__(dim, heads)
        self.k = k

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        filled = fill_hidden(scores.detach(), allow, -math.inf)
        order = filled.argsort(dim=-1, descending=True, stable=True)  # (B, H, Q, K)
        first = torch.arange(scores.shape[-1], device=scores.device) < self.k
        largest = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, order, first.expand_as(order))
        return masked_softmax(scores, fill_hidden(largest, allow, False))
