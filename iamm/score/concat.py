"""The concat score: a small network over the concatenation of query and key."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Width
from iamm.score.base import Score
from iamm.score.tanh_sum import tanh_sum


class ConcatScore(Score):
    """s(q, k) = vᵀ tanh(W [q; k] + b), an MLP with one hidden layer.

    W [q; k] + b = W₁ q + (W₂ k + b): each half is computed once for its places, not once for each pair, and the second
    once for a memory that does not change. What is left is the sum over pairs of `additive`, at the same cost, which
    differs in the bias and in how W starts (as one layer of width 2E).

    Args:
        dim: E, the width of query and key.
        heads: H, which share W, b and v.
        hidden: F, the width of the hidden layer; None means E.

    Raises:
        ValueError: `hidden` below 1.

    Source: Luong, Pham and Manning 2015, §3.1, "concat" (there without the bias).
    """

    def __init__(self, dim: int, heads: int, *, hidden: Width | None = None) -> None:
        super().__init__(dim, heads)
        hidden = dim if hidden is None else hidden
        self.w = nn.Linear(2 * dim, hidden)
        self.v = nn.Linear(hidden, 1, bias=False)

    @property
    def width(self) -> int:
        return self.w.out_features

    def query(self, query: Tensor) -> Tensor:
        return functional.linear(query, self.w.weight[:, : self.dim])  # (B, H, Q, F)

    def key(self, key: Tensor) -> Tensor:
        return functional.linear(key, self.w.weight[:, self.dim :], self.w.bias)  # (B, H, K, F)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        return tanh_sum(query, key, self.v.weight[0])  # (B, H, Q, K)
