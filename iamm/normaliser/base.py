"""The contract of every normaliser: from scores to weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained


class Normaliser(Constrained, nn.Module):
    """w_q = n(s_q) over the places that q may see; zero elsewhere, and all zero, with finite gradients, in a row
    without any.

    Args:
        dim: E, the width of one head.
        heads: H.
    """

    plain_softmax = False
    """True where w = softmax(s) and no more, which fused kernels compute."""

    sums_to_one = True
    """False where a query's weights may sum to another number."""

    needs_positive = False
    """True where weights come only of scores that are never below zero."""

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


def fill_hidden(scores: Tensor, allow: Tensor | None, number: float) -> Tensor:
    """The scores with `number` where nothing may be seen; done before any product, since 0 · NaN is NaN."""
    return scores if allow is None else scores.masked_fill(~allow, number)


def widened(scores: Tensor) -> Tensor:
    """The scores in at least float32, where sums over many places keep their digits."""
    return scores.to(torch.promote_types(scores.dtype, torch.float32))


def below_highest(scores: Tensor, allow: Tensor | None) -> Tensor:
    """s_k − max_j s_j over the places in sight, widened; the lowest number there is, or thereabouts, elsewhere.

    No gradient runs through the maximum: it is for weights that a shift of all scores does not change.
    """
    scores = widened(scores)
    filled = fill_hidden(scores, allow, torch.finfo(scores.dtype).min)
    return filled - highest(filled.detach())


def highest(scores: Tensor) -> Tensor:
    """Maximum over the last axis; zero where that is empty.  # (…, 1)"""
    return scores.amax(dim=-1, keepdim=True) if scores.shape[-1] else scores.sum(dim=-1, keepdim=True)


def places_in_sight(scores: Tensor, allow: Tensor | None) -> Tensor:
    """n, how many places each query may see, at least 1; in the type of the scores.  # (…, 1), broadcastable to them"""
    visible = scores.new_ones(1, dtype=torch.bool) if allow is None else allow
    counts = visible.expand(*visible.shape[:-1], scores.shape[-1]).sum(dim=-1, keepdim=True, dtype=scores.dtype)
    return counts.clamp(min=1.0)
