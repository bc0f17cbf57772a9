"""The additive score: a small network over the sum of query and key."""

from __future__ import annotations

from torch import Tensor, nn

from iamm.constraints import Width
from iamm.score.base import Score
from iamm.score.tanh_sum import tanh_sum


class AdditiveScore(Score):
    """s(q, k) = vᵀ tanh(W q + U k).

    Q·K·F operations, as a dot product, but each with a quotient; memory for Q·K numbers, see `iamm.score.tanh_sum`.

    Args:
        dim: E, the width of query and key.
        heads: H, which share W, U and v.
        hidden: F, the width of W q and U k; None means E.

    Raises:
        ValueError: `hidden` below 1.

    Source: Bahdanau, Cho and Bengio 2015, appendix A.1.2 (there with F = 1000, and without biases as here).
    """

    def __init__(self, dim: int, heads: int, *, hidden: Width | None = None) -> None:
        super().__init__(dim, heads)
        hidden = dim if hidden is None else hidden
        self.w = nn.Linear(dim, hidden, bias=False)
        self.u = nn.Linear(dim, hidden, bias=False)
        self.v = nn.Linear(hidden, 1, bias=False)

    @property
    def width(self) -> int:
        return self.w.out_features

    def query(self, query: Tensor) -> Tensor:
        return self.w(query)  # (B, H, Q, F)

    def key(self, key: Tensor) -> Tensor:
        return self.u(key)  # (B, H, K, F)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        return tanh_sum(query, key, self.v.weight[0])  # (B, H, Q, K)
