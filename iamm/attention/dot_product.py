"""Attention by the inner product of query and key."""

from __future__ import annotations

from torch import Tensor

from iamm.attention.base import Attention


class DotProductAttention(Attention):
    """score(q, k) = qᵀk, without parameters.

    Scores grow with the width, and the softmax sharpens with them; `scaled_dot_product` corrects that.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Luong, Pham and Manning 2015, §3.1, "dot"; D0 §4.2 weighs the scenes in this form, w_i = softmax_i(qᵀx_i).
    """

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        return query @ key.transpose(-2, -1)  # (B, H, Q, K)
