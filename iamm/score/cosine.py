"""The cosine score, scaled by a learnt factor."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from iamm.constraints import Positive
from iamm.score.base import InnerProductScore


class CosineScore(InnerProductScore):
    """s(q, k) = τ · qᵀk / (|q| |k|), τ = e^θ learnt for each head: lengths have no effect, scores lie in [−τ, τ].

    A zero vector has cosine 0 with everything.

    Args:
        dim: E, the width of query and key.
        heads: H.
        scale: τ at the start (10 as in Liu et al.'s code).

    Raises:
        ValueError: `scale` that is not positive.

    Source: Henry et al. 2020 (QKNorm); Liu et al. 2022, eq. 2 (Swin Transformer V2, whose τ is one over ours, and is
    bounded; their bias of positions is not here).
    """

    def __init__(self, dim: int, heads: int, *, scale: Positive = 10.0) -> None:
        super().__init__(dim, heads)
        self.theta = nn.Parameter(torch.full((heads, 1, 1), math.log(scale)))

    def query(self, query: Tensor) -> Tensor:
        return self.theta.exp() * unit(query)  # (B, H, Q, E)

    def key(self, key: Tensor) -> Tensor:
        return unit(key)  # (B, H, K, E)


def unit(vectors: Tensor) -> Tensor:
    """x / |x|; zero, with finite gradients, for x = 0."""
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)  # (…, 1)
    return vectors / length.masked_fill(length == 0, 1.0)
