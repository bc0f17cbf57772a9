"""One head with learnt projections of query, key and value."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from iamm.attention.single import SingleAttention
from iamm.constraints import ShareBelow1
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from iamm.score.base import Score


class CrossAttention(SingleAttention):
    """context_q = Σ_k w_qk W_v v_k, w from the scores of W_q q and W_k k: one head.

    Args:
        dim: D, the width of query, key, value and context.
        score: a partial of a Score.
        pattern: a partial of a Pattern.
        normaliser: a partial of a Normaliser.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Vaswani et al. 2017, eq. 1 and §3.2.2 with h = 1, without the output projection and without biases.
    """

    def __init__(
        self,
        dim: int,
        *,
        score: Callable[..., Score],
        pattern: Callable[..., Pattern],
        normaliser: Callable[..., Normaliser],
        dropout: ShareBelow1 = 0.0,
    ) -> None:
        super().__init__(dim, score=score, pattern=pattern, normaliser=normaliser, dropout=dropout)
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_k = nn.Linear(dim, dim, bias=False)
        self.w_v = nn.Linear(dim, dim, bias=False)

    def project_query(self, query: Tensor) -> Tensor:
        return self.in_heads(self.w_q(query))  # (B, 1, Q, D)

    def project_key(self, key: Tensor) -> Tensor:
        return self.in_heads(self.w_k(key))  # (B, 1, K, D)

    def project_value(self, value: Tensor) -> Tensor:
        return self.in_heads(self.w_v(value))  # (B, 1, K, D)
