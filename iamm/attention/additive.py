"""Additive attention (Bahdanau): a small network compares query and key."""

from __future__ import annotations

from collections.abc import Callable

from iamm.attention.single import SingleAttention
from iamm.normaliser.base import Normaliser
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.base import Pattern
from iamm.pattern.full import FullPattern
from iamm.score.additive import AdditiveScore
from iamm.score.base import Score


class AdditiveAttention(SingleAttention):
    """w_q = softmax_k(vᵀ tanh(W q + U k)), context_q = Σ_k w_qk v_k.

    Args:
        dim: D, the width of query, key, value and context.
        score: a partial of a Score; W, U and v are its parameters.
        pattern: a partial of a Pattern, which selects the pairs.
        normaliser: a partial of a Normaliser, which turns scores into weights.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Source: Bahdanau, Cho and Bengio 2015, eq. 5 and 6 and appendix A.1.2.
    """

    def __init__(
        self,
        dim: int,
        *,
        score: Callable[..., Score] = AdditiveScore,
        pattern: Callable[..., Pattern] = FullPattern,
        normaliser: Callable[..., Normaliser] = SoftmaxNormaliser,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(dim, score=score, pattern=pattern, normaliser=normaliser, dropout=dropout)
