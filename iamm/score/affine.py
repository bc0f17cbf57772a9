"""The affine score: a number from the query plus a number from the key."""

from __future__ import annotations

from torch import Tensor, nn

from iamm.score.base import Score


class AffineScore(Score):
    """s(q, k) = w₁ᵀk + w₂ᵀq + b.

    With `normaliser=sigmoid` it is the attention of D1 §2.1, σ(W₁x + W₂y), one number a place. Query and key do not
    meet in a product: the order of the keys is the same for all queries, and a query only opens or closes the gate for
    all of them. A softmax is blind even to that, since it does not see what a whole row has in common.

    Cost: O((Q + K)·E + Q·K) time.

    Args:
        dim: E, the width of query and key.
        heads: H, which share w₁, w₂ and b.

    Source: D1 §2.1, with x the key and y the query, and vectors in place of its matrices; b is ours.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        self.w_1 = nn.Linear(dim, 1)
        self.w_2 = nn.Linear(dim, 1, bias=False)

    @property
    def width(self) -> int:
        return 1

    def query(self, query: Tensor) -> Tensor:
        return self.w_2(query)  # (B, H, Q, 1)

    def key(self, key: Tensor) -> Tensor:
        return self.w_1(key)  # (B, H, K, 1)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        return query + key.transpose(-2, -1)  # (B, H, Q, K)
