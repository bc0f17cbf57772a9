"""A softmax without small weights."""

from __future__ import annotations

import math

from torch import Tensor

from iamm.constraints import ShareAbove0
from iamm.normaliser.base import Normaliser, below_highest, fill_hidden, masked_softmax


class ThresholdNormaliser(Normaliser):
    """w = softmax(s) over the places whose weight is at least `threshold` times the row's largest, zero elsewhere.

    In scores: over those with s_k ≥ max s + ln threshold, so that pruning and dividing anew are one softmax.

    It saves no time, since all scores are needed to know the largest. It reduces the
    number of positions read, not the cost.

    Args:
        dim: E, the width of one head.
        heads: H.
        threshold: in (0, 1]; at 1 only the largest weight is left, with its equals.

    Raises:
        ValueError: `threshold` outside (0, 1].

    Source: D2 §3, attention pruning by a threshold; that it is relative to the row's largest weight is ours, so that it
    means the same at any number of places.
    """

    def __init__(self, dim: int, heads: int, *, threshold: ShareAbove0 = 0.1) -> None:
        super().__init__(dim, heads)
        self.margin = -math.log(threshold)

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        large = below_highest(scores.detach(), allow) >= -self.margin
        return masked_softmax(scores, fill_hidden(large, allow, False))
