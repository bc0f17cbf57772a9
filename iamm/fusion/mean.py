"""The mean of the views, which each scene reads without an interest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import nn

from iamm.attention.base import Attention
from iamm.constraints import ShareBelow1
from iamm.encoder.base import Features, Pool
from iamm.fusion.base import Fused
from iamm.fusion.by_scene import BySceneFusion, ScenePools, mean_of_present, with_added


class MeanFusion(BySceneFusion):
    """x'_s = x_s + W · mean of the present views' vectors: the row of equal information with the fewest parameters.

    The simplest late fusion (Kittler et al. 1998, the mean rule, there over the scores of classes); ours is over
    features, and W is shared by all scenes. Where no view is present, nothing is added.

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
        self.output = nn.Linear(dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Features]) -> Fused:
        pooled = self.pools(features, {name: self.identity(name) for name in features})
        added = self.output(mean_of_present(features, list(pooled.values())))
        return Fused(with_added(features, self.dropout(added)), None)
