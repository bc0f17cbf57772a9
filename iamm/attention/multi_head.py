"""Multi-head attention: several heads with separate projections."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import AttentionOutput, clear_padding, require_same_batch
from iamm.attention.composed import ComposedAttention
from iamm.constraints import Count, ShareBelow1
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from iamm.score.base import Score

FEW = 4
"""A memory is read without projecting it where H·Q is at least this many times smaller than D."""


class MultiHeadAttention(ComposedAttention):
    """context = W_o [head_1; …; head_H], head_h = A(W_q,h q, W_k,h k, W_v,h v), with any score, pattern and normaliser
    in A.

    The parts work on width E = D/H. The heads share the parameters of the parts, unless a part has parameters for each
    head, and differ in W_q,h, W_k,h and W_v,h.

    A memory that few queries read once (pooling) is not projected: q̃_h = W_k,hᵀ W_q,h q is compared with the
    unprojected keys, and W_v,h is applied to the result, in O(H·Q·K·D) instead of O(K·D²). The numbers are the same up
    to rounding.

    Args:
        dim: D, the width of query, key, value and context.
        score: a partial of a Score.
        pattern: a partial of a Pattern.
        normaliser: a partial of a Normaliser.
        heads: H (paper: 8).
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, H, Q, K)

    Raises:
        ValueError: heads that do not divide the width; parts that do not go together.

    Source: Vaswani et al. 2017, §3.2.2. No biases: a query without an allowed key yields exactly zero.
    """

    def __init__(
        self,
        dim: int,
        *,
        score: Callable[..., Score],
        pattern: Callable[..., Pattern],
        normaliser: Callable[..., Normaliser],
        heads: Count = 4,
        dropout: ShareBelow1 = 0.0,
    ) -> None:
        super().__init__(dim, score=score, pattern=pattern, normaliser=normaliser, dropout=dropout, heads=heads)
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_k = nn.Linear(dim, dim, bias=False)
        self.w_v = nn.Linear(dim, dim, bias=False)
        self.w_o = nn.Linear(dim, dim, bias=False)

    def head_weights(self) -> list[Tensor]:
        inputs = [layer.weight.unflatten(0, (self.heads, -1)) for layer in (self.w_q, self.w_k, self.w_v)]  # (H, E, D)
        return [*inputs, self.w_o.weight.unflatten(1, (self.heads, -1)).transpose(0, 1)]  # (H, D, E)

    def project_query(self, query: Tensor) -> Tensor:
        return self.in_heads(self.w_q(query))  # (B, H, Q, E)

    def project_key(self, key: Tensor) -> Tensor:
        return self.in_heads(self.w_k(key))  # (B, H, K, E)

    def project_value(self, value: Tensor) -> Tensor:
        return self.in_heads(self.w_v(value))  # (B, H, K, E)

    def reads_unprojected(self, query: Tensor) -> bool:
        """Whether queries are few, and s_qk = query(W_q q)ᵀ W_k k for every key of a separate memory."""
        few = FEW * self.heads * query.shape[1] <= self.dim
        return few and self.score.inner_product and self.score.keys_as_they_are and self.pattern.full_apart

    def read_unprojected(
        self, query: Tensor, key: Tensor, value: Tensor | None, key_allow: Tensor | None, need_weights: bool
    ) -> AttentionOutput:
        require_same_batch(query, key)
        key, value = clear_padding(key, value, key_allow)
        w_k, w_v = (layer.weight.unflatten(0, (self.heads, -1)) for layer in (self.w_k, self.w_v))  # (H, E, D)
        prepared = self.score.query(self.project_query(query))  # (B, H, Q, E)
        folded = torch.einsum("bhqe,hed->bhqd", prepared, w_k)
        scores = (folded.flatten(1, 2) @ key.transpose(1, 2)).unflatten(1, (self.heads, -1))  # (B, H, Q, K)
        weights = self.normaliser(scores, None if key_allow is None else key_allow[:, None, None])
        after_dropout = functional.dropout(weights, self.dropout, self.training).to(value.dtype)
        read = (after_dropout.flatten(1, 2) @ value).unflatten(1, (self.heads, -1))  # (B, H, Q, D)
        context = torch.einsum("bhqd,hed->bhqe", read, w_v)
        return AttentionOutput(self.merge(context), weights if need_weights else None, None)

    def merge(self, context: Tensor) -> Tensor:
        return self.w_o(super().merge(context))  # (B, Q, D)
