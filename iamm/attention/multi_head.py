"""Several heads, each with a pattern of its own."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from iamm.attention.base import Attention


class MultiHeadAttention(Attention):
    """context = W_o [head_1; …; head_H], head_h = A(W_q,h q, W_k,h k, W_v,h v), with any one-head attention as A.

    A is built once, for width E = D/H: what it learns itself (W, U and v of `additive`) is shared by the heads, which
    differ by their own W_q,h, W_k,h and W_v,h. Of A its projections and its score are used.

    Args:
        dim: D, the width of query, key, value and context.
        heads: H (paper: 8).
        score: a partial of an Attention class, finished here with its width.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, H, Q, K)

    Raises:
        ValueError: heads that do not divide the width; a score with several heads or with a dropout of its own.

    Source: Vaswani et al. 2017, §3.2.2. No biases: a query that may see nothing yields exactly zero.
    """

    def __init__(self, dim: int, *, heads: int = 4, score: Callable[..., Attention], dropout: float = 0.0) -> None:
        super().__init__(dim, dropout=dropout)
        if heads < 1 or dim % heads:
            raise ValueError(f"`heads` must divide `dim`. Found dim={dim}, heads={heads}.")
        self.heads = heads
        self.inner = score(dim // heads)
        if self.inner.heads != 1 or self.inner.dropout:
            raise ValueError(
                "`score` must have one head and no dropout of its own. "
                f"Found heads={self.inner.heads}, dropout={self.inner.dropout}: set those of multi_head."
            )
        self.w_q = nn.Linear(dim, dim, bias=False)
        self.w_k = nn.Linear(dim, dim, bias=False)
        self.w_v = nn.Linear(dim, dim, bias=False)
        self.w_o = nn.Linear(dim, dim, bias=False)

    def project_query(self, query: Tensor) -> Tensor:
        return self._in_heads(self.w_q(query), self.inner.project_query)

    def project_key(self, key: Tensor) -> Tensor:
        return self._in_heads(self.w_k(key), self.inner.project_key)

    def project_value(self, value: Tensor) -> Tensor:
        return self._in_heads(self.w_v(value), self.inner.project_value)

    def _in_heads(self, projected: Tensor, project: Callable[[Tensor], Tensor]) -> Tensor:
        """Each head's share of the width, as `project` of the inner attention sees it."""
        split = projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, E)
        return project(split.flatten(0, 1)).squeeze(1).unflatten(0, split.shape[:2])  # (B, H, T, E)

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        return self.inner.score(query, key)  # (B, H, Q, K)

    def merge(self, context: Tensor) -> Tensor:
        return self.w_o(super().merge(context))  # (B, Q, D)
