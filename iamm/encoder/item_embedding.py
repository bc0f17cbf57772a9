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


STEPS = 32
"""Steps of an age in seconds, as 2^32 seconds are 136 years, and of a value, in halves."""


class ItemEmbeddingEncoder(Encoder):
    """x_0 = e(candidate), x_t = e(history_t): one table of items for both (Zhou et al. 2018, §4.1).

    With `ages`, x_t = e(history_t) + a(⌊log₂(1 + age_t)⌋), a learnt from 0, so that an attention can weigh recent
    clicks more (time differences as positions: Chen et al. 2019, eq. 1, there in other steps). With `values`, x_t has
    r(⌊2 value_t⌋) beside it, learnt from 0, so that it knows what was liked how far.

    Args:
        scene: gives the items.
        dim: D.
        ages: whether the ages of clicks are read; the scene needs their times.
        values: whether the values of entries are read, in steps of a half up to 15.5; the scene needs them.
        dropout: share dropped of the embeddings.

    Raises:
        ValueError: `ages` or `values` of a scene without.

    Shapes:
        inputs["candidate"] (B,) and inputs["history"] (B, T) ids → values (B, 1 + T, D), the candidate in place 0
    """

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        ages: bool = False,
        values: bool | None = None,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scene, dim)
        for field, read, what in (("ages", ages, "times of clicks"), ("values", values, "values of entries")):
            if read and field not in scene.fields:
                raise ValueError(f"`{field}` needs the {what}. Found none in {scene.name}: leave it out.")
        assert scene.source is not None
        self.embedding = nn.Embedding(len(scene.source), dim, padding_idx=PAD)
        with torch.no_grad():
            self.embedding.weight *= START
        self.ages, self.values = (nn.Embedding(STEPS, dim) if read else None for read in (ages, values))
        for table in (self.ages, self.values):
            if table is not None:
                nn.init.zeros_(table.weight)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        items = torch.cat((inputs["candidate"][:, None], inputs["history"]), dim=1)  # (B, 1 + T)
        allow = (items != PAD) & present[:, None]
        embedded = self.embedding(items.masked_fill(~allow, PAD))  # (B, 1 + T, D)
        if self.ages is not None:
            steps = inputs["ages"].clamp(min=0).add(1).log2().long().clamp(max=STEPS - 1)  # (B, T)
            embedded = embedded + functional.pad(self.ages(steps), (0, 0, 1, 0))
        if self.values is not None:
            steps = (2 * inputs["values"]).long().clamp(0, STEPS - 1)  # (B, T)
            embedded = embedded + functional.pad(self.values(steps), (0, 0, 1, 0))
        if self.ages is not None or self.values is not None:  # else 0 where no item is, as the embedding of PAD is
            embedded = embedded.masked_fill(~allow.unsqueeze(-1), 0.0)
        return Features(self.dropout(embedded), allow)
