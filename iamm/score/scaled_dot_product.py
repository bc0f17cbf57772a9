"""The scaled dot-product score."""

from __future__ import annotations

import math

from torch import Tensor

from iamm.score.base import InnerProductScore


class ScaledDotProductScore(InnerProductScore):
    """s(q, k) = qᵀk / √E, without parameters; E is the width of what is compared (of one head in `multi_head`).

    Source: Vaswani et al. 2017, eq. 1. The query is divided rather than the scores: E numbers each instead of K.
    """

    keys_as_they_are = True

    def query(self, query: Tensor) -> Tensor:
        return query / math.sqrt(self.dim)
