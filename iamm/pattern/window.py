"""The window pattern: each query attends to nearby keys."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.constraints import Width
from iamm.pattern.local import LocalPattern


class WindowPattern(LocalPattern):
    """Query i meets the keys j with |i − j| ≤ radius; with j ≤ i too where causal.

    Places are counted along the sequence. Queries attend to all keys of a separate memory (pooling, a source text),
    since its places are unrelated to theirs.

    Cost: O(T·radius·D) time, O(T·radius) memory, in blocks of queries with the keys around them. With `allow` or
    `bias`, and where T is short, O(T²·D) with a mask over all pairs; weights on request take O(T²) memory.
    A step of incremental decoding costs O(radius·D) for its pairs; the state's growth copies O(T·D). Faster than `full`
    from about T = 100 on with radius 8, 300 with 64 (D = 256, one CPU thread).

    Args:
        dim: F, the width of what the score compares.
        heads: H.
        radius: visible places on either side (paper: 256).

    Raises:
        ValueError: `radius` below 1.

    Source: Beltagy, Peters and Cohan 2020, §3.1, "sliding window"; D2 §3.
    """

    def __init__(self, dim: int, heads: int, *, radius: Width = 8) -> None:
        super().__init__(dim, heads)
        self.radius = radius

    def radius_for(self, queries: int, past: int, causal: bool) -> int:
        return self.radius

    def near(self, apart: Tensor) -> tuple[Tensor | None, None]:
        if not torch.compiler.is_exporting() and apart.shape[1] <= self.radius + 1:
            return None, None
        return apart.abs() <= self.radius, None
