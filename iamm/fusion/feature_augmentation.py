"""Feature augmentation: a shared copy of a network, and a copy for each scene."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from iamm.constraints import Layers, ShareBelow1
from iamm.encoder.base import FeedForward
from iamm.fusion.by_scene import BySceneFusion


class FeatureAugmentationFusion(BySceneFusion):
    """x'_s = x_s + f_0(norm x_s) + f_s(norm x_s): the neural form of EasyAdapt (Daumé III 2007, §3.1).

    The source copies the features, [x; x in the block of s], under one linear model: w·φ(x, s) = w_0·x + w_s·x. Ours
    has networks in the places of w_0 and w_s. An unknown scene, or in training one that is treated as
    unknown, has only the shared copy.

    Args:
        scenes: names of all S scenes.
        dim: D.
        feed_forward: hidden width of a copy, as a multiple of D.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        feed_forward: Layers = 1,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        self.norm = nn.LayerNorm(dim)
        self.shared = FeedForward(dim, feed_forward * dim, dropout)
        self.own = nn.ModuleDict({name: FeedForward(dim, feed_forward * dim, dropout) for name in self.scenes})

    def mapped(self, values: Tensor, name: str) -> Tensor:
        normed = self.norm(values)
        common = values + self.shared(normed)
        return common + self.own[name](normed) if name in self.own else common
