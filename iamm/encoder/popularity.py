"""Behaviours → how popular the candidate is."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import SPECIAL
from iamm.encoder.base import Encoder, Features


class PopularityEncoder(Encoder):
    """x_0 = log(1 + n_i) − m in every channel, n_i how often candidate i was clicked in the scene's training examples.

    m is the mean of log(1 + n) over the items, so that a linear head learns its sign at once. Nothing is
    learnt here, and no history read: the baseline that each ranker has to beat.

    Args:
        scene: gives the items and the clicks.
        dim: D.

    Shapes:
        inputs["candidate"] (B,) ids → values (B, 1, D)
    """

    def __init__(self, scene: Scene, dim: int) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        train = scene.splits["train"]
        clicked = train.inputs["candidate"][train.targets.bool() & train.present]
        self.popularity: Tensor
        popularity = torch.bincount(clicked, minlength=len(scene.source)).float().log1p()
        self.register_buffer("popularity", popularity - popularity[len(SPECIAL) :].mean())

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        values = self.popularity[inputs["candidate"]] * present
        return Features(values[:, None, None].expand(-1, 1, self.dim), present[:, None])
