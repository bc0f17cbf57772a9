"""The state of an attention between calls: a projected memory, or the past of a decoder."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AttentionState:
    """Projected keys and values that are reused in later calls.

    Shapes:
        key: (B, H, K, F), value: (B, H, K, E), key_allow: (B, K) bool or None
        fixed: True for a memory that does not grow (the source of a translation), False for the past of a decoder.
    """

    key: Tensor
    value: Tensor
    key_allow: Tensor | None
    fixed: bool

    @property
    def length(self) -> int:
        """K, the number of keys."""
        return self.key.shape[2]

    def select_remaining(self, rows: Tensor) -> AttentionState:
        """Do as `select`, for distinct rows in ascending order; nothing is copied if all rows remain."""
        return self if len(rows) == self.key.shape[0] else self.select(rows)

    def select(self, rows: Tensor) -> AttentionState:
        """Select rows (N,) int64 in their order, to reorder beams or drop finished rows."""
        allow = None if self.key_allow is None else self.key_allow.index_select(0, rows)
        return AttentionState(self.key.index_select(0, rows), self.value.index_select(0, rows), allow, self.fixed)

    def joined(self, new: AttentionState) -> AttentionState:
        """Append new keys and values; the result has a mask if either has one."""
        key = torch.cat((self.key, new.key), dim=2)  # (B, H, K, F)
        value = torch.cat((self.value, new.value), dim=2)  # (B, H, K, E)
        if self.key_allow is None and new.key_allow is None:
            return AttentionState(key, value, None, fixed=False)
        key_allow = torch.cat((self.explicit_allow(), new.explicit_allow()), dim=1)  # (B, K)
        return AttentionState(key, value, key_allow, fixed=False)

    def explicit_allow(self) -> Tensor:
        """Give `key_allow`, or all True if it is None.  # (B, K)"""
        if self.key_allow is not None:
            return self.key_allow
        return self.key.new_ones(self.key.shape[0], self.length, dtype=torch.bool)
