"""One head with learnt projections of query, key and value."""

from __future__ import annotations

from torch import Tensor, nn

from iamm.attention.scaled_dot_product import ScaledDotProductAttention


class CrossAttention(ScaledDotProductAttention):
    """context = softmax(W_q q · W_k k / √D) W_v v: one head, learnt projections, the key from elsewhere.

    Args:
        dim: D, the width of query, key, value and context.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Vaswani et al. 2017, eq. 1 and §3.2.2 with h = 1, without the output projection and without biases.
    """

    def __init__(self, dim: int, *, dropout: float = 0.0) -> None:
        super().__init__(dim, dropout=dropout)
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_k = nn.Linear(dim, dim, bias=False)
        self.w_v = nn.Linear(dim, dim, bias=False)

    def project_query(self, query: Tensor) -> Tensor:
        return self.w_q(query).unsqueeze(1)  # (B, 1, Q, D)

    def project_key(self, key: Tensor) -> Tensor:
        return self.w_k(key).unsqueeze(1)  # (B, 1, K, D)

    def project_value(self, value: Tensor) -> Tensor:
        return self.w_v(value).unsqueeze(1)  # (B, 1, K, D)
