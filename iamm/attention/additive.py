"""Attention by a small network over the sum of query and key."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention


class AdditiveAttention(Attention):
    """score(q, k) = vᵀ tanh(W q + U k).

    U k is computed once for a memory that does not change. The sums take B·Q·K·hidden numbers of memory, a factor of
    `hidden` more than a dot product.

    Args:
        dim: D, the width of query, key, value and context.
        hidden: the width of W q and U k; None means `dim`.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Raises:
        ValueError: `hidden` below 1.

    Source: Bahdanau, Cho and Bengio 2015, appendix A.1.2 (there with hidden = 1000, and without biases as here).
    """

    def __init__(self, dim: int, *, hidden: int | None = None, dropout: float = 0.0) -> None:
        super().__init__(dim, dropout=dropout)
        hidden = dim if hidden is None else hidden
        if hidden < 1:
            raise ValueError(f"`hidden` must be at least 1. Found {hidden}.")
        self.w = nn.Linear(dim, hidden, bias=False)
        self.u = nn.Linear(dim, hidden, bias=False)
        self.v = nn.Linear(hidden, 1, bias=False)

    def project_query(self, query: Tensor) -> Tensor:
        return self.w(query).unsqueeze(1)  # (B, 1, Q, hidden)

    def project_key(self, key: Tensor) -> Tensor:
        return self.u(key).unsqueeze(1)  # (B, 1, K, hidden)

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        pairs = query.unsqueeze(-2) + key.unsqueeze(-3)  # (B, H, Q, K, hidden)
        return self.v(torch.tanh(pairs)).squeeze(-1)  # (B, H, Q, K)
