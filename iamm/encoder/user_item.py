"""Behaviours → the learnt vectors of the candidate and of its user."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iamm.constraints import Count, ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features


class UserItemEncoder(Encoder):
    """x_0 = q(candidate), x_1 = p(user): with a linear head, s = b + wᵀq + vᵀp + pᵀdiag(u)q, matrix factorisation.

    No history is read. A user without a training example, and one whose number is beyond the table, have p = 0: their
    items are ranked as those of all users.

    Args:
        scene: gives the items.
        dim: D.
        users: number of users with a vector; numbers from there on have none.
        dropout: share dropped of the vectors.

    Shapes:
        inputs["candidate"] and inputs["user"] (B,) → values (B, 2, D)

    Source: Koren, Bell, Volinsky 2009, eq. 4, with the loss of Johnson 2014 (logistic), for clicks; their biases of
    users and items are wᵀq and vᵀp.
    """

    def __init__(self, scene: Scene, dim: int, *, users: Count = 1000, dropout: ShareBelow1 = 0.1) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        self.items = nn.Embedding(len(scene.source), dim, padding_idx=PAD)
        self.users = nn.Embedding(users + 1, dim, padding_idx=users)
        nn.init.normal_(self.items.weight, std=dim**-0.5)
        nn.init.zeros_(self.users.weight)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        known = inputs["user"].clamp(max=self.users.num_embeddings - 1)
        values = torch.stack((self.items(inputs["candidate"]), self.users(known)), dim=1)  # (B, 2, D)
        allow = present[:, None].expand(-1, 2)
        return Features(self.dropout(values).masked_fill(~allow.unsqueeze(-1), 0.0), allow)
