"""The relative-position score: inner products of the query with the key and with a vector of their distance."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from iamm.constraints import Width
from iamm.score.base import Score


class RelativePositionScore(Score):
    """s(q, k) = (qᵀk + qᵀr_d) / √E, d = the key's position minus the query's, clipped to −reach … reach.

    The vectors r start at zero: the scores begin as those of `scaled_dot_product`. Where keys and queries are not
    places of one sequence (a memory apart), there is no d, and the term with r is left out.

    Cost: O(Q·(K + reach)·E) time and O(Q·(K + reach)) memory: qᵀr is taken once for each distance, then looked up.

    Args:
        dim: E, the width of query and key.
        heads: H, which share the vectors r.
        reach: the farthest distance with a separate vector (paper: 16).

    Raises:
        ValueError: `reach` below 1.

    Source: Shaw, Uszkoreit and Vaswani 2018, eq. 4 and 5. Their second set of vectors, added to the values (eq. 3), is
    not here: it belongs to what is carried, not to the score.
    """

    positional = True

    def __init__(self, dim: int, heads: int, *, reach: Width = 16) -> None:
        super().__init__(dim, heads)
        self.reach = reach
        self.relative = nn.Parameter(torch.zeros(2 * reach + 1, dim))

    def query(self, query: Tensor) -> Tensor:
        return query / math.sqrt(self.dim)

    def forward(self, query: Tensor, key: Tensor, distance: Tensor | None = None) -> Tensor:
        scores = query @ key.transpose(-2, -1)  # (B, H, Q, K)
        if distance is None:
            return scores
        by_distance = query @ self.relative.to(query.dtype).T  # (B, H, Q, 2·reach + 1)
        index = distance.clamp(-self.reach, self.reach) + self.reach  # (Q, K)
        return scores + by_distance.gather(-1, index.expand_as(scores))  # (B, H, Q, K)
