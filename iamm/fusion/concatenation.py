"""The views side by side: what interest guidance reads, without an interest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from iamm.attention.base import Attention
from iamm.constraints import ShareBelow1
from iamm.encoder.base import Features, Pool
from iamm.fusion.base import Fused
from iamm.fusion.by_scene import ByScene, BySceneFusion, ScenePools, with_added


class ConcatenationFusion(BySceneFusion):
    """x'_s = x_s + W [pool_1; …; pool_S]: early fusion by concatenation (Ngiam et al. 2011, §3).

    The row of equal information: each scene reads every view of its instance, and nothing weighs them. An absent view,
    and a scene of another group, is zero. W is stored as its blocks of columns, W [pool_1; …; pool_S] = Σ_i W_i pool_i,
    by the name of scene i. Ours: the result is added to the features, where the source replaces them by it.

    Args:
        scenes: names of all S scenes.
        dim: D.
        pool: a partial that takes `dim`: how a view's positions become one vector; None means their mean.
        dropout: share dropped of what is added.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    mixes_views = True

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        pool: Callable[..., Attention] | None = None,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        self.pools = ScenePools(self.scenes, lambda: Pool(dim, pool))
        self.columns = ByScene(self.scenes, lambda: nn.Linear(dim, dim, bias=False))
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Features]) -> Fused:
        identities = {name: self.identity(name) for name in features}
        pooled = self.pools(features, identities)
        blocks = [self.columns[identities[name]](vector) for name, vector in pooled.items()]
        added = torch.stack(blocks).sum(dim=0)  # (B, D)
        return Fused(with_added(features, self.dropout(added)), None)
