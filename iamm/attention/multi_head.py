"""Several heads, each with a pattern of its own."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from iamm.attention.composed import ComposedAttention
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from iamm.score.base import Score


class MultiHeadAttention(ComposedAttention):
    """context = W_o [head_1; …; head_H], head_h = A(W_q,h q, W_k,h k, W_v,h v), with any score, pattern and normaliser
    in A.

    The parts work on width E = D/H. What they learn is shared by the heads, which differ by their own W_q,h, W_k,h and
    W_v,h, unless a part says that it learns for each head.

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

    Source: Vaswani et al. 2017, §3.2.2. No biases: a query that may see nothing yields exactly zero.
    """

    def __init__(
        self,
        dim: int,
        *,
        score: Callable[..., Score],
        pattern: Callable[..., Pattern],
        normaliser: Callable[..., Normaliser],
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(dim, score=score, pattern=pattern, normaliser=normaliser, dropout=dropout, heads=heads)
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_k = nn.Linear(dim, dim, bias=False)
        self.w_v = nn.Linear(dim, dim, bias=False)
        self.w_o = nn.Linear(dim, dim, bias=False)

    def project_query(self, query: Tensor) -> Tensor:
        return self.in_heads(self.w_q(query))  # (B, H, Q, E)

    def project_key(self, key: Tensor) -> Tensor:
        return self.in_heads(self.w_k(key))  # (B, H, K, E)

    def project_value(self, value: Tensor) -> Tensor:
        return self.in_heads(self.w_v(value))  # (B, H, K, E)

    def merge(self, context: Tensor) -> Tensor:
        return self.w_o(super().merge(context))  # (B, Q, D)
