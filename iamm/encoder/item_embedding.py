"""Behaviours → embeddings of items."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features

START = 0.01
"""Standard deviation of a new table: an item that is rarely met stays near the middle."""


DOUBLINGS = 32
"""Steps of an age in seconds: 2^32 seconds are 136 years."""


class ItemEmbeddingEncoder(Encoder):
    """x_0 = e(candidate), x_t = e(history_t): one table of items for both (Zhou et al. 2018, §4.1).

    With `ages`, x_t = e(history_t) + a(⌊log₂(1 + age_t)⌋), a learnt from 0, so that an attention can weigh recent
    clicks more (time differences as positions: Chen et al. 2019, eq. 1, there in other steps).

    Args:
        scene: gives the items.
        dim: D.
        ages: whether the ages of clicks are read; the scene needs their times.
        dropout: share dropped of the embeddings.

    Raises:
        ValueError: `ages` of a scene without times.

    Shapes:
        inputs["candidate"] (B,) and inputs["history"] (B, T) ids → values (B, 1 + T, D), the candidate in place 0
    """

    def __init__(self, scene: Scene, dim: int, *, ages: bool = False, dropout: ShareBelow1 = 0.1) -> None:
        super().__init__(scene, dim)
        if ages and "ages" not in scene.fields:
            raise ValueError(f"`ages` needs the times of clicks. Found none in {scene.name}: leave it out.")
        assert scene.source is not None
        self.embedding = nn.Embedding(len(scene.source), dim, padding_idx=PAD)
        with torch.no_grad():
            self.embedding.weight *= START
        self.ages = nn.Embedding(DOUBLINGS, dim) if ages else None
        if self.ages is not None:
            nn.init.zeros_(self.ages.weight)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        items = torch.cat((inputs["candidate"][:, None], inputs["history"]), dim=1)  # (B, 1 + T)
        allow = (items != PAD) & present[:, None]
        embedded = self.embedding(items.masked_fill(~allow, PAD))  # (B, 1 + T, D)
        if self.ages is not None:
            steps = inputs["ages"].clamp(min=0).add(1).log2().long().clamp(max=DOUBLINGS - 1)  # (B, T)
            embedded = embedded + functional.pad(self.ages(steps), (0, 0, 1, 0)).masked_fill(~allow[..., None], 0.0)
        return Features(self.dropout(embedded), allow)  # the embedding of PAD is 0
