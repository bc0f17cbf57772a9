"""What every encoder gives, and the small layers that encoders, fusions and heads have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constrained import Constrained
from iamm.dataset.base import Scene


class Features(NamedTuple):
    """What is known of B examples of one scene, place by place.

    Shapes:
        values: (B, T, D)
        allow: (B, T) bool, True = a real place; a row without any is an example whose view is absent
    """

    values: Tensor
    allow: Tensor

    @property
    def present(self) -> Tensor:
        return self.allow.any(dim=1)  # (B,)


class Encoder(Constrained, nn.Module):
    """One scene's inputs → features.

    Args:
        scene: the scene whose inputs are read; gives channels, statistics or the vocabulary.
        dim: D, the width of the features.
    """

    halves = ""
    """The argument that lists the stages, each of which halves a picture; empty where there are none."""

    def __init__(self, scene: Scene, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        """Inputs by the names of the scene's fields, as in `SceneBatch`; present (B,) bool."""
        raise NotImplementedError

    def attention_map(self, inputs: Mapping[str, Tensor], present: Tensor) -> list[Tensor]:
        """For pictures: the weights (B, H, T, T) of each self-attention on the way, the first layer's first, if any."""
        return []


class FeedForward(nn.Sequential):
    """W₂ relu(W₁ x), position by position (Vaswani et al. 2017, eq. 2).

    Args:
        dim: D, in and out.
        hidden: width between.
        dropout: share dropped of the hidden units.
    """

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class Pool(nn.Module):
    """Features → one vector: Σ_t w_t x_t, w by a learnt query's attention, or the mean over the real places.

    Args:
        dim: D.
        attention: a partial that takes `dim`; None means the mean.
    """

    def __init__(self, dim: int, attention: Callable[..., Attention] | None) -> None:
        super().__init__()
        self.attention = None if attention is None else attention(dim)
        self.query = None if attention is None else nn.Parameter(torch.randn(1, 1, dim) / math.sqrt(dim))

    def forward(self, features: Features, *, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """The vector (B, D), zero where a view is absent; the weights (B, H, T) where asked for and there are any."""
        values, allow = features
        if self.attention is None or self.query is None:
            return masked_mean(features), None
        query = self.query.expand(values.shape[0], -1, -1)  # (B, 1, D)
        output = self.attention(query, values, key_allow=allow, need_weights=need_weights)
        return output.context[:, 0], None if output.weights is None else output.weights[:, :, 0]


def masked_mean(features: Features) -> Tensor:
    """Mean over the real places; zero where there is none.  # (B, D)"""
    real = features.allow.unsqueeze(-1).to(features.values.dtype)
    return (features.values * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)


def sinusoids(length: int, dim: int, start: int = 0) -> Tensor:
    """Position p, pair i: sin and cos of p / 10000^(2i/D) (Vaswani et al. 2017, §3.5).  # (length, D)

    Args:
        length: how many positions.
        dim: D, even.
        start: the first position, for decoding step by step.
    """
    position = torch.arange(start, start + length, dtype=torch.float32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10000.0) / dim))
    return torch.stack(((position * rate).sin(), (position * rate).cos()), dim=-1).flatten(1)
