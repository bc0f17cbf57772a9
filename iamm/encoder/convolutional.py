"""The convolutional encoder of pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention, AttentionOutput
from iamm.constraints import Count, ShareBelow1, Width
from iamm.dataset.base import Scene
from iamm.encoder.base import Encoder, Features

STATISTICS_EXAMPLES = 10_000


class ConvolutionalEncoder(Encoder):
    """A small CNN: per stage, convolution 3×3 → group norm → ReLU → max pooling 2×2, then one projection to D.

    A learnt vector is added at each position of the map, so that attention knows positions (as in Dosovitskiy et
    al. 2021).

    Pictures are standardised by the training split's mean and deviation per channel. Group norm (Wu and He 2018)
    normalises each example separately, so that no prediction depends on other examples of the batch.

    With `attention`, the positions read each other at the end: x + attention(LayerNorm x), an attention with a residual
    inside an image network, as D3 asks for; it gives no formula. The layer norm in front is that of Xiong et al. 2020.

    Args:
        scene: has the channels, and the present training pictures whose mean and deviation are used.
        dim: D, the width of each position.
        channels: width of each stage.
        groups: of the norm; must divide each width.
        attention: a partial that takes `dim`, self-attention over the positions; None: none.
        dropout: share of the positions' features dropped.

    Shapes:
        inputs["image"] (B, C, H, W) in [0, 1] → values (B, H/2ⁿ · W/2ⁿ, D) for n stages, row by row

    Raises:
        ValueError: `groups` does not divide a width, or one of them is below 1; a picture too small for so many stages.
    """

    divides: ClassVar = {"groups": "channels"}
    halves = "channels"
    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        channels: Sequence[Width] = (32, 64),
        groups: Count = 8,
        attention: Callable[..., Attention] | None = None,
        dropout: ShareBelow1 = 0.0,
    ) -> None:
        super().__init__(scene, dim)
        train = scene.splits["train"]
        pictures = train.inputs["image"]
        check_stages(channels, pictures.shape[2:])
        mean, deviation = statistics(pictures[train.present.nonzero()[:STATISTICS_EXAMPLES, 0]])
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", deviation)
        widths = [pictures.shape[1], *channels]
        self.stages = nn.Sequential(*(stage(a, b, groups) for a, b in pairwise(widths)))
        self.project = nn.Conv2d(widths[-1], dim, 3, padding=1)
        height, width = (side >> len(channels) for side in pictures.shape[2:])
        self.position = nn.Parameter(torch.zeros(height * width, dim))
        self.attention = attention(dim) if attention else None
        self.norm = nn.LayerNorm(dim) if attention else None
        self.dropout = nn.Dropout(dropout)

    def feature_map(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) → (B, D, h, w)"""
        return torch.relu(self.project(self.stages((pictures - self.mean) / self.deviation)))

    def positions(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        """The positions of the map, before attention."""
        values = self.feature_map(inputs["image"]).flatten(2).transpose(1, 2) + self.position  # (B, T, D)
        return Features(values, present[:, None].expand(-1, values.shape[1]))

    def attend(self, features: Features, *, need_weights: bool = False) -> AttentionOutput:
        assert self.attention is not None
        assert self.norm is not None
        return self.attention(self.norm(features.values), key_allow=features.allow, need_weights=need_weights)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        values, allow = features = self.positions(inputs, present)
        if self.attention is not None:
            values = values + self.attend(features).context
        return Features(self.dropout(values), allow)

    def attention_map(self, inputs: Mapping[str, Tensor], present: Tensor) -> list[Tensor]:
        if self.attention is None:
            return []
        weights = self.attend(self.positions(inputs, present), need_weights=True).weights
        return [weights] if weights is not None else []


def stage(inputs: int, outputs: int, groups: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(groups, outputs), nn.ReLU(), nn.MaxPool2d(2)
    )


def statistics(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation per channel of uint8 pictures, in units of the full range.  # (C, 1, 1) each"""
    scaled = pictures.to(torch.float32) / 255.0
    deviation, mean = torch.std_mean(scaled, dim=(0, 2, 3))
    return mean[:, None, None], deviation.clamp(min=1e-3)[:, None, None]


def check_stages(channels: Sequence[int], size: Sequence[int]) -> None:
    if min(size) < 2 ** len(channels):
        raise ValueError(
            f"Each stage halves a picture. Found {min(size)} pixels and {len(channels)} stages: give fewer `channels`."
        )
