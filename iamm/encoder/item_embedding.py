"""Behaviours → embeddings of items."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iamm.constraints import ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features

START = 0.01
"""Standard deviation of a new table: an item that is rarely met stays near the middle."""


class ItemEmbeddingEncoder(Encoder):
    """x_0 = e(candidate), x_t = e(history_t): one table of items for both (Zhou et al. 2018, §4.1).

    Args:
        scene: gives the items.
        dim: D.
        dropout: share dropped of the embeddings.

    Shapes:
        inputs["candidate"] (B,) and inputs["history"] (B, T) ids → values (B, 1 + T, D), the candidate in place 0
    """

    def __init__(self, scene: Scene, dim: int, *, dropout: ShareBelow1 = 0.1) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        self.embedding = nn.Embedding(len(scene.source), dim, padding_idx=PAD)
        with torch.no_grad():
            self.embedding.weight *= START
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        items = torch.cat((inputs["candidate"][:, None], inputs["history"]), dim=1)  # (B, 1 + T)
        allow = (items != PAD) & present[:, None]
        embedded = self.dropout(self.embedding(items.masked_fill(~allow, PAD)))  # (B, 1 + T, D)
        return Features(embedded.masked_fill(~allow.unsqueeze(-1), 0.0), allow)
