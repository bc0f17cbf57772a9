"""The base class of encoders, and the layers that encoders, fusions and heads share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constrained import Constrained
from iamm.dataset.base import Scene, Split


class Features(NamedTuple):
    """The features of B examples of one scene at T positions.

    Shapes:
        values: (B, T, D)
        allow: (B, T) bool, True = a real position; a row without any is an example whose view is absent
    """

    values: Tensor
    allow: Tensor

    @property
    def present(self) -> Tensor:
        return self.allow.any(dim=1)  # (B,)

    @property
    def real(self) -> Tensor:
        """The values, 0 where there is no real position."""
        return self.values.masked_fill(~self.allow[:, :, None], 0.0)  # (B, T, D)


class Encoder(Constrained, nn.Module):
    """An encoder maps the inputs of a scene to features.

    Args:
        scene: the scene whose inputs are read; it has channels, statistics or the vocabulary.
        dim: D, the width of the features.
    """

    halves = ""
    """The argument that lists the stages, each of which halves a picture; empty where there are none."""

    causal_by = ""
    """The argument that is true where the encoder's attention must be causal; empty where it never must."""

    reads_logs = False
    """Whether it learns of items from a log that says who met them, without answers: `learn_items`."""

    def __init__(self, scene: Scene, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        """Encode inputs, by the names of the scene's fields as in `SceneBatch`; present (B,) bool."""
        raise NotImplementedError

    def learn_items(self, train: Split, log: Split | None = None) -> None:
        """Compute anew what the encoder knows of items; where `reads_logs`.

        Args:
            train: the training examples of all scenes that share the encoder.
            log: examples of another scene, whose answers are not read.
        """
        raise NotImplementedError

    def attention_map(self, inputs: Mapping[str, Tensor], present: Tensor) -> list[Tensor]:
        """The weights (B, H, T, T) of each layer's self-attention, if any, for figures."""
        return []


class FeedForward(nn.Sequential):
    """W₂ relu(W₁ x), position by position (Vaswani et al. 2017, eq. 2).

    Args:
        dim: D, width of input and output.
        hidden: width of the hidden layer.
        dropout: share dropped of the hidden units.
    """

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, dim))


class NormedFeedForward(nn.Sequential):
    """feedforward(norm x): what a residual block adds to x.

    Args:
        dim: D, in and out.
        hidden: width between.
        dropout: share dropped of the hidden units.
    """

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.LayerNorm(dim), FeedForward(dim, hidden, dropout))


class Pool(nn.Module):
    """Pool features to one vector Σ_t w_t x_t, w by attention of a learnt query, or the mean over real positions.

    Args:
        dim: D.
        attention: a partial that takes `dim`; None means the mean.
    """

    def __init__(self, dim: int, attention: Callable[..., Attention] | None) -> None:
        super().__init__()
        self.attention = None if attention is None else attention(dim)
        self.query = None if attention is None else nn.Parameter(torch.randn(1, 1, dim) / math.sqrt(dim))

    def forward(self, features: Features, *, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """The vector (B, D), zero where a view is absent; and the weights (B, H, T), if requested and available."""
        values, allow = features
        if self.attention is None or self.query is None:
            return masked_mean(features), None
        query = self.query.expand(values.shape[0], -1, -1)  # (B, 1, D)
        output = self.attention(query, values, key_allow=allow, need_weights=need_weights)
        return output.context[:, 0], None if output.weights is None else output.weights[:, :, 0]


def masked_mean(features: Features) -> Tensor:
    """Mean over the real positions; zero if there is none.  # (B, D)"""
    real = features.allow.unsqueeze(-1).to(features.values.dtype)
    return (features.values * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)


def present_mean(values: Tensor, present: Tensor) -> Tensor:
    """Mean over the present rows; zero where none is: (B, …) and present (B,) → (…)."""
    rows = present.view(-1, *[1] * (values.dim() - 1))
    return (values * rows).sum(dim=0) / present.sum().clamp(min=1)


def sinusoids(length: int, dim: int, start: int = 0) -> Tensor:
    """Position p, pair i: sin and cos of p / 10000^(2i/D) (Vaswani et al. 2017, §3.5).  # (length, D)

    Args:
        length: number of positions.
        dim: D, even.
        start: the first position, for decoding step by step.
    """
    position = torch.arange(start, start + length, dtype=torch.float32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * (-math.log(10000.0) / dim))
    return torch.stack(((position * rate).sin(), (position * rate).cos()), dim=-1).flatten(1)
