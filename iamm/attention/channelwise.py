"""An attention of each channel, without projections."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from iamm.attention.composed import ComposedAttention
from iamm.constraints import NotNegative, ShareBelow1
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from iamm.score.base import Score


class ChannelwiseAttention(ComposedAttention):
    """context_qc = Σ_k w_qck v_kc, w_qc = softmax_k((β + q_qc) k_kc) for each channel c: D heads of width 1.

    For a query of zeros it is the mean of the places at β = 0, and approaches their maximum as β grows; so a learnt
    query learns for each channel how far its pooling is between the two.

    Args:
        dim: D, the width of query, key, value and context, and the number of heads.
        score: a partial of a Score, which compares β + q_c with k_c.
        pattern: a partial of a Pattern.
        normaliser: a partial of a Normaliser; `top_k` with k=1 is max pooling.
        sharpness: β.
        dropout: share of the weights that is dropped in training.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, D, Q, K)

    Source: D4 §3 as corrected, e_j = score(q, x_j), α = softmax(e), x̃ = Σ_j α_j x_j, in each channel by itself; with
    q = 0 it is the softmax pooling of McFee, Salamon and Bello 2018, eq. 8, whose β is learnt too.
    """

    def __init__(
        self,
        dim: int,
        *,
        score: Callable[..., Score],
        pattern: Callable[..., Pattern],
        normaliser: Callable[..., Normaliser],
        sharpness: NotNegative = 4.0,
        dropout: ShareBelow1 = 0.0,
    ) -> None:
        super().__init__(dim, score=score, pattern=pattern, normaliser=normaliser, dropout=dropout, heads=dim)
        self.sharpness = sharpness

    def project_query(self, query: Tensor) -> Tensor:
        return self.in_heads(query + self.sharpness)  # (B, D, Q, 1)
