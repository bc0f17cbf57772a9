"""The adaptive-span pattern: each head learns how far its queries attend."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from iamm.constraints import NotNegative, Share, Width
from iamm.normaliser.base import widened
from iamm.pattern.blocks import around
from iamm.pattern.local import LocalPattern
from iamm.penalty import Penalised


@torch.library.custom_op("iamm::bounded", mutates_args=())
def bounded(share: Tensor) -> Tensor:
    """clamp(x, 0, 1), whose slope is 1 outside too, but 0 where a step down it would lead out or further out."""
    return share.clamp(0.0, 1.0)


def inwards(ctx: Any, slope: Tensor) -> Tensor:
    (share,) = ctx.saved_tensors
    outwards = (share <= 0) & (slope > 0) | (share >= 1) & (slope < 0)
    return slope.masked_fill(outwards, 0.0)


bounded.register_fake(torch.empty_like)
bounded.register_autograd(inwards, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs))


class AdaptiveSpanPattern(LocalPattern, Penalised):
    """Scores get + ln m(|i − j|), m(x) = clamp((ramp + z − x) / ramp, 0, 1): weights ∝ m·e^s under a softmax. Each head
    learns its own span z in [0, limit].

    Spans are paid for: the penalty `span`, `penalty`·mean(z)/limit, is minimised beside the losses. A gradient that
    leads out of the range is dropped, so that no span gets stuck outside.

    The keys of a memory apart (pooling, a source text) have no place among the queries: all of them are met.

    Cost: O(T·(z + ramp)·D) time, O(T·(z + ramp)) memory for the longest z of the heads, in blocks as for `window`: it
    is read from the parameter where T is long enough for that to pay, and taken as `limit` in a compiled call. With
    `allow` or `bias`, and where T is short, O(T²·D) with a mask over all pairs; weights on request take O(T²) memory.
    Faster than `full` from about T = 260 on with z + ramp = 24 (D = 256, one CPU thread).

    Args:
        dim: F, the width of what the score compares.
        heads: H.
        limit: the longest span, in places (paper: 4096 and 8192).
        ramp: places over which m falls from 1 to 0 (paper: 32).
        start: share of `limit` at which all spans begin.
        penalty: λ (paper: 2e-6 for each place of z; here for z as a share of `limit`).

    Raises:
        ValueError: `limit` or `ramp` below 1; `start` outside [0, 1]; `penalty` below 0; a normaliser that cannot take
            negative scores.

    Source: Sukhbaatar et al. 2019, eq. 4 to 6, there for causal attention.
    """

    lowers_scores = True

    def __init__(
        self,
        dim: int,
        heads: int,
        *,
        limit: Width = 64,
        ramp: Width = 8,
        start: Share = 0.25,
        penalty: NotNegative = 0.01,
    ) -> None:
        super().__init__(dim, heads)
        self.limit = limit
        self.ramp = ramp
        self.penalty = penalty
        self.share = nn.Parameter(torch.full((heads,), start))

    def penalties(self) -> dict[str, Tensor]:
        return {"span": self.penalty * bounded(self.share).mean()}

    def radius_for(self, queries: int, past: int, causal: bool) -> int:
        least, most = self.ramp - 1, self.limit + self.ramp - 1
        pays = around(queries, min(past, least), least, causal).cheaper()
        if torch.compiler.is_compiling() or not pays:
            return most
        longest = (self.limit * self.share.max().clamp(0.0, 1.0)).item()
        return math.ceil(longest) + least

    def near(self, apart: Tensor) -> tuple[Tensor, Tensor]:
        span = self.limit * widened(bounded(self.share))[:, None, None]  # (H, 1, 1)
        shown = ((self.ramp + span - apart.abs()) / self.ramp).clamp(0.0, 1.0)  # (H, Q, K)
        return shown > 0, shown.clamp(min=torch.finfo(shown.dtype).tiny).log()
