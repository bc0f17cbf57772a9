"""Blocks of a long sequence: queries with the keys near them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from iamm.pattern.base import Sight

SMALLEST = 32
"""Smallest number of queries in a block; with smaller blocks, their number costs more than fewer pairs save."""

GAIN = 2.5
"""Factor by which blocks must reduce the pairs to be faster than all pairs at once with a mask."""


@dataclass(frozen=True)
class Blocks:
    """Q queries in n blocks of `size`, each with the keys at its places, `before` ahead of them and `after` behind.

    The n blocks of an example become n examples, (B·n, H, size, F): scores and normalisers need no change. Both ends
    and the last block are padded with zeros, which are hidden.

    Args:
        length: Q.
        past: number of keys before the first query, at most `before`; the others are at the queries' places.
        size: queries of a block.
        before: 0 … size.
        after: 0 … size.
    """

    length: int
    past: int
    size: int
    before: int = 0
    after: int = 0

    @property
    def count(self) -> int:
        """n, the number of blocks."""
        return -(-self.length // self.size)

    @property
    def width(self) -> int:
        """W, the keys of a block."""
        return self.before + self.size + self.after

    def cheaper(self, also: int = 0, gain: float = GAIN) -> bool:
        """Whether the blocks, each with `also` more keys, are faster than all pairs at once with a mask.

        An exported program, whose lengths may be unknown, never uses blocks.
        """
        if torch.compiler.is_exporting():
            return False
        return self.length * (self.past + self.length) > gain * self.count * self.size * (self.width + also)

    def queries(self, query: Tensor) -> Tensor:
        padded = functional.pad(query, (0, 0, 0, self.count * self.size - self.length))  # (B, H, n·size, F)
        return padded.unflatten(2, (-1, self.size)).transpose(1, 2).flatten(0, 1)  # (B·n, H, size, F)

    def keys(self, key: Tensor) -> Tensor:
        """Cut keys, or values, into blocks: (B, H, past + Q, F) → (B·n, H, W, F)."""
        ahead, behind, size = bool(self.before), bool(self.after), self.size
        ends = (ahead * size - self.past, (self.count + behind) * size - self.length)
        padded = functional.pad(key, (0, 0, *ends))  # (B, H, (n + ahead + behind)·size, F)
        blocks = padded.unflatten(2, (-1, size)).transpose(1, 2)  # (B, n + ahead + behind, H, size, F)
        parts = [blocks[:, ahead : ahead + self.count]]
        if ahead:
            parts.insert(0, blocks[:, : self.count, :, size - self.before :])
        if behind:
            parts.append(blocks[:, ahead + 1 :, :, : self.after])
        return torch.cat(parts, dim=3).flatten(0, 1)  # (B·n, H, W, F)

    def sight(self, key: Tensor, sight: Sight) -> Sight:
        """Convert the masks to those of `keys(key)`: distances are the same in each block, and padding is hidden."""
        key_allow = self.keys(real(key, sight))[:, 0, :, 0]  # (B·n, W)
        return Sight(self.before, key_allow=key_allow, causal=sight.causal, positional=sight.positional)

    def context(self, context: Tensor) -> Tensor:
        """Join the context of the blocks: (B·n, H, size, E) → (B, H, Q, E)"""
        return self._in_order(context).flatten(2, 3)[:, :, : self.length]

    def weights(self, weights: Tensor) -> Tensor:
        """Join the weights of the blocks, zero outside of them: (B·n, H, size, W) → (B, H, Q, past + Q)"""
        whole = self.width + (self.count - 1) * self.size
        rows = self._in_order(weights).transpose(2, 3)  # (B, H, size, n, W)
        skewed = functional.pad(rows, (0, whole + self.size - self.width)).flatten(3)[..., : self.count * whole]
        spread = skewed.unflatten(3, (self.count, whole)).transpose(2, 3).flatten(2, 3)  # (B, H, n·size, whole)
        first = self.before - self.past
        return spread[:, :, : self.length, first : first + self.past + self.length]

    def _in_order(self, blocks: Tensor) -> Tensor:
        return blocks.unflatten(0, (len(blocks) // self.count, self.count)).transpose(1, 2)  # (B, H, n, size, ·)


def around(queries: int, past: int, radius: int, causal: bool) -> Blocks:
    """Make blocks for keys at most `radius` places away, no smaller than the radius, so that neighbours suffice."""
    return Blocks(queries, past, max(radius, SMALLEST), radius, 0 if causal else radius)


def real(key: Tensor, sight: Sight) -> Tensor:
    """Give `key_allow` in the layout of the keys, all True if it is None.  # (B, 1, K, 1)"""
    if sight.key_allow is None:
        return key.new_ones(key.shape[0], 1, key.shape[2], 1, dtype=torch.bool)
    return sight.key_allow[:, None, :, None]
