"""The base class of patterns, which select the pairs of queries and keys and the order of computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add, and_
from typing import Protocol

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.normaliser.base import Normaliser
from iamm.score.base import Score


@dataclass(frozen=True)
class Sight:
    """The masks and positions of one call.

    Args:
        start: position of the first query, where keys are places 0, 1, … of the same sequence; None where the keys are
            a separate memory (pooling, a source text), whose positions are unrelated to the queries'.
        allow: bool, (Q, K) or broadcastable to (B, H, Q, K), or None.
        key_allow: bool (B, K), or None.
        bias: float, as `allow`, added to the scores, or None.
        causal: a query attends only to keys up to its position.
        positional: whether the score needs distances.
    """

    start: int | None = None
    allow: Tensor | None = None
    key_allow: Tensor | None = None
    bias: Tensor | None = None
    causal: bool = False
    positional: bool = False

    @property
    def pairwise(self) -> bool:
        """Whether single pairs are masked or biased, beyond padding and causality."""
        return self.allow is not None or self.bias is not None

    def narrowed(self, near: Tensor | None, bias: Tensor | None = None) -> Sight:
        """A copy restricted to the pairs of `near` (None: all), with `bias` added; both broadcast to (B, H, Q, K)."""
        return replace(self, allow=merged(and_, self.allow, near), bias=merged(add, self.bias, bias))

    def since(self, place: int) -> Sight:
        """A copy without the keys before `place`."""
        if place == 0:
            return self
        allow, bias, key_allow = (cut(mask, place) for mask in (self.allow, self.bias, self.key_allow))
        start = None if self.start is None else self.start - place
        return replace(self, start=start, allow=allow, bias=bias, key_allow=key_allow)

    def apart(self, query: Tensor, key: Tensor) -> Tensor | None:
        """Key position − query position, (Q, K) int64; None for a memory apart."""
        if self.start is None:
            return None
        queries = torch.arange(self.start, self.start + query.shape[2], device=key.device)
        return torch.arange(key.shape[2], device=key.device) - queries[:, None]  # (Q, K)

    def distance(self, query: Tensor, key: Tensor) -> Tensor | None:
        """The result of `apart` if the score needs distances, else None."""
        return self.apart(query, key) if self.positional else None

    def mask(self, query: Tensor, key: Tensor, *more: Tensor) -> Tensor | None:
        """All masks and `more` joined, broadcastable to (B, H, Q, K); None if nothing is hidden."""
        real = None if self.key_allow is None else self.key_allow[:, None, None, :]  # (B, 1, 1, K)
        past = None
        if self.causal and query.shape[2] > 1:
            apart = self.apart(query, key)
            assert apart is not None
            past = apart <= 0  # (Q, K)
        return merged(and_, self.allow, *more, real, past)


def merged(join: Callable[[Tensor, Tensor], Tensor], *masks: Tensor | None) -> Tensor | None:
    """Join the masks that are not None; None if there is none."""
    parts = [mask for mask in masks if mask is not None]
    return reduce(join, parts) if parts else None


def cut(mask: Tensor | None, place: int) -> Tensor | None:
    """The mask of the keys (last axis) from `place` on; an axis of size 1 holds for all keys."""
    return mask if mask is None or mask.shape[-1] == 1 else mask[..., place:]


class Attend(Protocol):
    """Attention over all pairs of a block: queries (N, H, Q, F), keys (N, H, K, F), values (N, H, K, E)
    → context (N, H, Q, E), and weights (N, H, Q, K) where requested.
    """

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        allow: Tensor | None = None,
        bias: Tensor | None = None,
        distance: Tensor | None = None,
        need_weights: bool = False,
    ) -> tuple[Tensor, Tensor | None]: ...


class Pattern(Constrained, nn.Module):
    """A pattern splits a call into one or several blocks of pairs, and calls `attend` on each.

    Args:
        dim: F, the width of what the score compares.
        heads: H.
    """

    no_causal = ""
    """The reason why this pattern cannot be causal; empty if it can."""

    no_pairwise = ""
    """The reason why `allow` and `bias` are not supported; empty if they are."""

    growth = 2
    """Exponent of T in the time of self-attention over T places."""

    sums_to_one = True
    """Whether the weights of a query sum to 1."""

    full_apart = False
    """Whether a query attends to all keys of a separate memory in one block."""

    no_dropout = ""
    """The reason why dropout of weights is not supported; empty if it is."""

    lowers_scores = False
    """Whether the pattern adds negative numbers to the scores."""

    needs_kernel = False
    """Whether the pattern needs a positive inner product and `normaliser=sum`."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()

    def check(self, score: Score, normaliser: Normaliser) -> None:
        """Check that score and normaliser suit this pattern.

        Raises:
            ValueError: they do not.
        """
        if self.lowers_scores and normaliser.needs_positive:
            raise ValueError(
                f"This `pattern` lowers scores below zero. Found {type(normaliser).__name__}, which cannot take that: "
                "choose another normaliser."
            )

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Queries (B, H, Q, F), keys (B, H, K, F) and values (B, H, K, E), as the score prepared them; padded rows of
        keys and values come from zeros → context (B, H, Q, E), and weights (B, H, Q, K) where requested.
        """
        raise NotImplementedError
