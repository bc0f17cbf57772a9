"""The base class of patterns whose queries attend to nearby keys only."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from iamm.pattern.base import Attend, Sight
from iamm.pattern.blocks import around
from iamm.pattern.full import FullPattern


class LocalPattern(FullPattern):
    """Queries meet the keys at most some places away: in blocks, or with a mask over all pairs where that is faster or
    single pairs are hidden (`allow`, `bias`). Keys of a memory apart have no distance: all of them are met.

    A subclass defines the distance (`radius_for`) and the visible pairs within it (`near`).
    """

    growth = 1

    def radius_for(self, queries: int, past: int, causal: bool) -> int:
        """The largest distance between a query and a visible key."""
        raise NotImplementedError

    def near(self, apart: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Key position − query position, (Q, K) → what is in sight, bool, None for all, and what is added to the scores
        or None; both broadcastable to (B, H, Q, K). The queries are among the keys.
        """
        raise NotImplementedError

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        if sight.start is None:
            return super().forward(attend, query, key, value, sight, need_weights=need_weights)
        radius = self.radius_for(query.shape[2], sight.start, sight.causal)
        gone = max(sight.start - radius, 0)  # keys that are out of reach for every query of this call
        key, value, sight = key[:, :, gone:], value[:, :, gone:], sight.since(gone)
        blocks = around(query.shape[2], key.shape[2] - query.shape[2], radius, sight.causal)
        if sight.pairwise or not blocks.cheaper():
            context, weights = self.in_one(attend, query, key, value, sight, need_weights)
        else:
            parts = blocks.queries(query), blocks.keys(key), blocks.keys(value)
            context, weights = self.in_one(attend, *parts, blocks.sight(key, sight), need_weights)
            context, weights = blocks.context(context), None if weights is None else blocks.weights(weights)
        return context, None if weights is None else functional.pad(weights, (gone, 0))  # (B, H, Q, K)

    def in_one(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        apart = sight.apart(query, key)
        assert apart is not None
        return super().forward(attend, query, key, value, sight.narrowed(*self.near(apart)), need_weights=need_weights)
