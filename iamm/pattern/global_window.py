"""The global-window pattern: each query attends to nearby keys and to the first places, which attend to all keys."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from iamm.constraints import Width
from iamm.pattern.base import Attend, Sight
from iamm.pattern.blocks import around, real
from iamm.pattern.full import FullPattern

GAIN = 3.5
"""As in `blocks`; larger, because the global keys are copied to each block."""


class GlobalWindowPattern(FullPattern):
    """Query i meets the keys j with |i − j| ≤ radius or j < tokens; a query i < tokens meets all keys. Where causal,
    only those with j ≤ i.

    Two distant places exchange information through the global ones, in two layers. Queries attend to all keys of a
    separate memory (pooling, a source text), since its places are unrelated to theirs.

    Cost: O(T·(radius + tokens)·D) time, O(T·(radius + tokens)) memory, in blocks as for `window`, each with the global
    keys; global queries are computed separately. With `allow`, `bias` or a positional score, and where T is short,
    O(T²·D) with a mask over all pairs; weights on request take O(T²) memory. A step of incremental decoding costs
    O((radius + tokens)·D) for its pairs; the state's growth copies O(T·D). Faster than `full` from about T = 220 on
    with radius 8 and one token, 400 with 64 and eight (D = 256, one CPU thread).

    Args:
        dim: F, the width of what the score compares.
        heads: H.
        radius: visible places on either side (paper: 256).
        tokens: global places, the first of the sequence (paper: the first, for classification).

    Raises:
        ValueError: `radius` or `tokens` below 1.

    Source: Beltagy, Peters and Cohan 2020, §3.1, "global attention", here with the same projections for global and
    local pairs; D2 §3, "hybrid".
    """

    growth = 1

    def __init__(self, dim: int, heads: int, *, radius: Width = 8, tokens: Width = 1) -> None:
        super().__init__(dim, heads)
        self.radius = radius
        self.tokens = tokens

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        if sight.start is None:
            return super().forward(attend, query, key, value, sight, need_weights=need_weights)
        past = min(sight.start, self.radius)
        cheaper = around(query.shape[2], past, self.radius, sight.causal).cheaper(self.tokens, GAIN)
        if sight.pairwise or sight.positional or self.tokens >= key.shape[2] or not cheaper:
            return self.in_one(attend, query, key, value, sight, need_weights=need_weights)
        return self.in_blocks(attend, query, key, value, sight, need_weights=need_weights)

    def in_one(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attend with a mask to all keys but those between the global ones and the reach of all queries."""
        start, tokens = sight.start, min(self.tokens, key.shape[2])
        assert start is not None
        begin = tokens if sight.pairwise or sight.positional else max(start - self.radius, tokens)
        place = torch.arange(key.shape[2], device=key.device)
        visible = self.visible(place[start:, None], without(place, tokens, begin, dim=0), sight.causal)  # (Q, K')
        key_allow = None if sight.key_allow is None else without(sight.key_allow, tokens, begin, dim=1)
        key, value = without(key, tokens, begin, dim=2), without(value, tokens, begin, dim=2)  # (B, H, K', F)
        sight = replace(sight, key_allow=key_allow, causal=False).narrowed(visible)
        context, weights = super().forward(attend, query, key, value, sight, need_weights=need_weights)
        if weights is not None:
            others = functional.pad(weights[..., tokens:], (begin - tokens, 0))
            weights = torch.cat((weights[..., :tokens], others), dim=-1)  # (B, H, Q, K)
        return context, weights

    def in_blocks(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attend with the global queries, then with the others in blocks; causal global queries need only near keys."""
        assert sight.start is not None
        count = 0 if sight.causal else min(max(self.tokens - sight.start, 0), query.shape[2])
        global_queries, others = query[:, :, :count], query[:, :, count:]
        context, weights = self.beside(attend, others, key, value, sight, sight.start + count, need_weights)
        if count == 0:
            return context, weights
        first, first_weights = super().forward(attend, global_queries, key, value, sight, need_weights=need_weights)
        both = (
            None if first_weights is None or weights is None else torch.cat((first_weights, weights), dim=2)
        )  # (B, H, Q, K)
        return torch.cat((first, context), dim=2), both  # (B, H, Q, E)

    def beside(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, start: int, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attend in blocks to the global keys and the near ones, among which global ones are hidden."""
        tokens, begin = min(self.tokens, key.shape[2]), max(start - self.radius, 0)
        blocks = around(query.shape[2], start - begin, self.radius, sight.causal)

        def joined(first: Tensor, near: Tensor) -> Tensor:
            every = first[:, None, :, :tokens].expand(-1, blocks.count, -1, -1, -1).flatten(0, 1)
            return torch.cat((every, blocks.keys(near[:, :, begin:])), dim=2)  # (B·n, H, tokens + W, F)

        place, shown = torch.arange(key.shape[2], device=key.device).view(1, 1, -1, 1), real(key, sight)
        visible = self.visible(blocks.queries(place[:, :, start:]), joined(place, place).transpose(2, 3), sight.causal)
        shown = joined(shown, shown & (place >= tokens)).transpose(2, 3)  # (B·n, 1, 1, tokens + W)
        allow = shown & visible.repeat(len(key), 1, 1, 1)  # (B·n, 1, size, tokens + W)
        context, weights = attend(
            blocks.queries(query), joined(key, key), joined(value, value), allow=allow, need_weights=need_weights
        )
        if weights is None:
            return blocks.context(context), None
        every, near = weights.split([tokens, blocks.width], dim=-1)
        every = functional.pad(blocks.context(every), (0, key.shape[2] - tokens))  # (B, H, Q, K)
        return blocks.context(context), every + functional.pad(blocks.weights(near), (begin, 0))

    def visible(self, query_place: Tensor, place: Tensor, causal: bool) -> Tensor:
        """Mark the places that a query at `query_place` attends to; both broadcast."""
        near = ((place - query_place).abs() <= self.radius) | (place < self.tokens)
        return near & (place <= query_place) if causal else near | (query_place < self.tokens)


def without(x: Tensor, begin: int, end: int, dim: int) -> Tensor:
    """Remove the places from `begin` to `end`."""
    if begin == end:
        return x
    return torch.cat((x.narrow(dim, 0, begin), x.narrow(dim, end, x.shape[dim] - end)), dim)
