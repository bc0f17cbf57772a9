"""Attention by the inner product of query and key, brought back to the scale of one feature."""

from __future__ import annotations

import math

from torch import Tensor

from iamm.attention.base import Attention


class ScaledDotProductAttention(Attention):
    """score(q, k) = qᵀk / √E, without parameters; E is the width of what is compared (of one head within `multi_head`).

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Vaswani et al. 2017, eq. 1. The query is divided rather than the scores: E numbers each instead of K.
    """

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        return query / math.sqrt(query.shape[-1]) @ key.transpose(-2, -1)  # (B, H, Q, K)
