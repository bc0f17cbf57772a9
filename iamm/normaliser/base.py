"""The contract of every normaliser: from scores to weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normaliser(nn.Module):
    """w_q = n(s_q) over the places that q may see; zero elsewhere, and all zero, with finite gradients, in a row
    without any.

    Args:
        dim: E, the width of one head.
        heads: H.
    """

    plain_softmax = False
    """True where w = softmax(s) and no more, which fused kernels compute."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        """Scores (B, H, Q, K) and a bool mask, broadcastable to them, or None for all → weights (B, H, Q, K)."""
        raise NotImplementedError


def masked_softmax(scores: Tensor, allow: Tensor | None) -> Tensor:
    """softmax over the last axis among the allowed places; a row without any is all zeros, with finite gradients."""
    if allow is None:
        return torch.softmax(scores, dim=-1)
    lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax over a whole row is NaN
    weights = torch.softmax(scores.masked_fill(~allow, lowest), dim=-1)
    return weights.masked_fill(~allow, 0.0)
