"""The segment pattern: each query attends to the keys of its segment."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from iamm.constraints import Width
from iamm.pattern.base import Attend, Sight
from iamm.pattern.blocks import Blocks
from iamm.pattern.full import FullPattern


class SegmentPattern(FullPattern):
    """Query i meets the keys j with ⌊j / length⌋ = ⌊i / length⌋: the sequence is cut into pieces of `length` places.

    Nothing passes from piece to piece here; layers of another pattern, or heads that read all, join them. The keys of a
    memory apart (pooling, a source text) have no place among the queries: all of them are met.

    Cost: O(T·length·D) time, O(T·length) memory. With `allow` or `bias`, and where T is short, O(T²·D) with a mask over
    all pairs; weights on request take O(T²) memory. A step of incremental decoding costs O(length·D) for its pairs; the
    state's growth copies O(T·D). Faster than `full` from about T = 100 on with pieces of 16, 120 with 64 (D = 256, one
    CPU thread).

    Args:
        dim: F, the width of what the score compares.
        heads: H.
        length: places of a piece (paper: 256).

    Raises:
        ValueError: `length` below 1.

    Source: D2 §3, "segmented"; Liu et al. 2018, §4.2.3, "local attention" (blocks of 256).
    """

    growth = 1

    def __init__(self, dim: int, heads: int, *, length: Width = 16) -> None:
        super().__init__(dim, heads)
        self.length = length

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        if sight.start is None:
            return super().forward(attend, query, key, value, sight, need_weights=need_weights)
        gone = sight.start // self.length * self.length  # keys of pieces that are over
        step = self.in_one if sight.pairwise or not self.blocks(key.shape[2] - gone).cheaper() else self.in_blocks
        context, weights = step(
            attend, query, key[:, :, gone:], value[:, :, gone:], sight.since(gone), need_weights=need_weights
        )
        return context, None if weights is None else functional.pad(weights, (gone, 0))  # (B, H, Q, K)

    def blocks(self, places: int) -> Blocks:
        return Blocks(places, 0, self.length)

    def in_one(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        if torch.compiler.is_exporting() or key.shape[2] > self.length:
            piece = torch.arange(key.shape[2], device=key.device) // self.length
            sight = sight.narrowed(piece[key.shape[2] - query.shape[2] :, None] == piece)  # (Q, K)
        return super().forward(attend, query, key, value, sight, need_weights=need_weights)

    def in_blocks(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Queries that begin inside a piece are padded from its beginning, so that they stand beside their keys."""
        past, blocks = key.shape[2] - query.shape[2], self.blocks(key.shape[2])
        parts = (blocks.queries(functional.pad(query, (0, 0, past, 0))), blocks.keys(key), blocks.keys(value))
        context, weights = super().forward(attend, *parts, blocks.sight(key, sight), need_weights=need_weights)
        return blocks.context(context)[:, :, past:], None if weights is None else blocks.weights(weights)[:, :, past:]
