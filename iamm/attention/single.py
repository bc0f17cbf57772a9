"""Single-head attention without projections."""

from __future__ import annotations

from collections.abc import Callable

from iamm.attention.composed import ComposedAttention
from iamm.constraints import ShareBelow1
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from iamm.score.base import Score


class SingleAttention(ComposedAttention):
    """context_q = Σ_k w_qk v_k over the values themselves: one head, whose only parameters are those of its parts.

    Args:
        dim: D, the width of query, key, value and context.
        score: a partial of a Score.
        pattern: a partial of a Pattern.
        normaliser: a partial of a Normaliser.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Bahdanau, Cho and Bengio 2015, eq. 5 and 6, with any score in place of theirs.
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
