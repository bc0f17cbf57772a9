"""Declarations of a scene's tensors: their kind and their padding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from iamm.dataset.vocabulary import PAD

KINDS = ("pixels", "tokens", "ids", "numbers", "sequence")


@dataclass(frozen=True)
class Field:
    """The declaration of one named input, or of the targets.

    Args:
        kind: `pixels` (N, channels, height, width) uint8, which a network reads as float32 in [0, 1]; `tokens` (N, T)
            int64 of a text; `ids` (N,) int64, one of several classes; `numbers` (N, …); `sequence` (N, T) int64, ids
            that are no text.
        padding: the value that fills rows (N, T, …) after their end; None: the rows are not padded.

    Raises:
        ValueError: an unknown kind.
    """

    kind: str
    padding: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"`kind` must be one of {', '.join(KINDS)}. Found {self.kind}.")

    def lengths(self, values: Tensor) -> Tensor:
        """The length of each row, up to its last entry that is not padding.  # (N,)"""
        assert self.padding is not None
        real = values.ne(self.padding)
        real = real.flatten(start_dim=2).any(dim=2) if real.dim() > 2 else real  # (N, T)
        return real.flip(1).cumsum(dim=1).bool().sum(dim=1)

    def batched(self, values: Tensor) -> Tensor:
        """Rows in the form that a network reads: pixels in [0, 1], and without columns of padding only.

        At least one column remains. Only declared padding is removed.
        """
        if self.kind == "pixels":
            return values.to(torch.float32) / 255.0
        if self.padding is None:
            return values
        return values[:, : max(int(self.lengths(values).max()), 1)]


PIXELS = Field("pixels")
TOKENS = Field("tokens", padding=PAD)
CLASS = Field("ids")
ID = Field("ids")
NUMBER = Field("numbers")
ITEMS = Field("sequence", padding=PAD)
AGES = Field("numbers", padding=-1)
VALUES = Field("numbers", padding=-1)


def target_of(classes: Sequence[str]) -> tuple[str, Field, torch.dtype]:
    """The task of a scene with these classes, or of numbers where there are none; the field and type of its targets."""
    return ("classification", CLASS, torch.int64) if classes else ("regression", NUMBER, torch.float64)
