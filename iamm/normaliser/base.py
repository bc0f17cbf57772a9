"""The base class of normalisers, which turn scores into weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained


class Normaliser(Constrained, nn.Module):
    """w_q = n(s_q) over the visible positions of q, zero elsewhere.

    A row without visible positions is zero, with finite gradients.

    Args:
        dim: E, the width of one head.
        heads: H.
    """

    plain_softmax = False
    """Whether w = softmax(s), as fused kernels compute."""

    sums_to_one = True
    """Whether the weights of a query sum to 1."""

    needs_positive = False
    """Whether the scores must not be negative."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        """Turn scores (B, H, Q, K) into weights (B, H, Q, K); `allow` is a broadcastable bool mask, or None for all."""
        raise NotImplementedError


def masked_softmax(scores: Tensor, allow: Tensor | None) -> Tensor:
    """softmax over the allowed positions of the last axis; a row without any is zero, with finite gradients."""
    if allow is None:
        return torch.softmax(scores, dim=-1)
    lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax over a whole row is NaN
    weights = torch.softmax(scores.masked_fill(~allow, lowest), dim=-1)
    return weights.masked_fill(~allow, 0.0)


def fill_hidden(scores: Tensor, allow: Tensor | None, number: float) -> Tensor:
    """Replace hidden scores by `number`, before any product, since 0 · NaN is NaN."""
    return scores if allow is None else scores.masked_fill(~allow, number)


def widened(scores: Tensor) -> Tensor:
    """Convert the scores to at least float32, for precise sums over many positions."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def below_highest(scores: Tensor, allow: Tensor | None) -> Tensor:
    """s_k − max_j s_j over the visible positions, in at least float32; about the lowest number elsewhere.

    The maximum has no gradient, since a shift of all scores does not change the weights.
    """
    scores = widened(scores)
    filled = fill_hidden(scores, allow, torch.finfo(scores.dtype).min)
    return filled - highest(filled.detach())


def highest(scores: Tensor) -> Tensor:
    """Maximum over the last axis; zero if it is empty.  # (…, 1)"""
    return scores.amax(dim=-1, keepdim=True) if scores.shape[-1] else scores.sum(dim=-1, keepdim=True)


def places_in_sight(scores: Tensor, allow: Tensor | None) -> Tensor:
    """n, the number of visible positions of each query, at least 1, in the type of the scores.  # (…, 1)"""
    visible = scores.new_ones(1, dtype=torch.bool) if allow is None else allow
    counts = visible.expand(*visible.shape[:-1], scores.shape[-1]).sum(dim=-1, keepdim=True, dtype=scores.dtype)
    return counts.clamp(min=1.0)
