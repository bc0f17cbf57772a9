"""Cross-scene fusion: a branch for each scene, and a module that fuses what the branches give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from iamm.constraints import Layers, ShareBelow1
from iamm.encoder.base import Features, NormedFeedForward, masked_mean
from iamm.fusion.base import Fused
from iamm.fusion.by_scene import ByScene, BySceneFusion, with_added


class BranchesFusion(BySceneFusion):
    """b_s = x_s + feedforward_s(norm_s x_s), x'_s = b_s + W relu(Σ_i V_i mean_t b_i).

    The second family of D0 §2.2: many branches and a module that fuses features across scenes. The document names it
    (CSFN, Huang et al. 2018) without a formula, so the form is ours: the fusion module is a network of one hidden layer
    over the concatenated branches, whose blocks V_i are stored by the name of scene i. An absent view, and a scene of
    another group, is zero.

    Args:
        scenes: names of all S scenes.
        dim: D.
        feed_forward: hidden width of a branch, as a multiple of D.
        dropout: share dropped of the hidden units and of what is added.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    mixes_views = True

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
        self.blocks = ByScene(self.scenes, lambda: NormedFeedForward(dim, feed_forward * dim, dropout))
        self.columns = ByScene(self.scenes, lambda: nn.Linear(dim, dim, bias=False))
        self.fuse = nn.Sequential(nn.ReLU(), nn.Linear(dim, dim, bias=False), nn.Dropout(dropout))

    def forward(self, features: Mapping[str, Features]) -> Fused:
        identities = {name: self.identity(name) for name in features}
        branches = {
            name: Features(scene.values + self.blocks[identities[name]](scene.values), scene.allow)
            for name, scene in features.items()
        }
        blocks = [self.columns[identities[name]](masked_mean(branch)) for name, branch in branches.items()]
        return Fused(with_added(branches, self.fuse(torch.stack(blocks).sum(dim=0))), None)
