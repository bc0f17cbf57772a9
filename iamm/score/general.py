"""The general score: an inner product with a learnt matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from iamm.score.base import InnerProductScore


class GeneralScore(InnerProductScore):
    """s(q, k) = qᵀ W k.

    W is applied to the key, so that a memory is multiplied once and not for each query. It starts as I/√E: the
    scores begin as those of `scaled_dot_product`.

    Args:
        dim: E, the width of query and key.
        heads: H, which share W.

    Source: Luong, Pham and Manning 2015, §3.1, "general" (also called multiplicative); the start is ours.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        self.w = nn.Linear(dim, dim, bias=False)
        with torch.no_grad():
            self.w.weight.copy_(torch.eye(dim) / math.sqrt(dim))

    def key(self, key: Tensor) -> Tensor:
        return self.w(key)  # (B, H, K, E)
