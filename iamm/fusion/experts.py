"""Experts and their mixture, for the fusions that route between several networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.encoder.base import FeedForward


class Experts(nn.ModuleList):
    """E feed-forward networks that read the same input.

    Args:
        count: E.
        dim: D, in and out.
        hidden: width between.
        dropout: share dropped of the hidden units.
    """

    def __init__(self, count: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(FeedForward(dim, hidden, dropout) for _ in range(count))

    def forward(self, values: Tensor) -> Tensor:
        return torch.stack([expert(values) for expert in self], dim=-2)  # (B, T, E, D)


def mixture(scores: Tensor, outputs: Tensor) -> Tensor:
    """Σ_i softmax_i(scores) outputs_i: scores (B, T, E) and outputs (B, T, E, D) → (B, T, D)."""
    return (scores.softmax(dim=-1).unsqueeze(-2) @ outputs).squeeze(-2)
