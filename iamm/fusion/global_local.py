"""Scene-independent attention: the same global and local attention for all scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constraints import ShareBelow1
from iamm.encoder.base import Features, Pool
from iamm.fusion.base import Fused, Fusion
from iamm.fusion.by_scene import mean_of_present


class GlobalLocalFusion(Fusion):
    """x'_s = x_s + W [g; local(norm x_s)], g the mean over the present views of pool(norm x_i).

    The third family of D0 §2.2: global aggregation and local extraction by an attention that knows no scene. The
    document names it (SIAM, You et al. 2019) without a formula, so the form is ours. g is one vector of an instance,
    the same for all of its views and positions; local(·) lets each position attend to those near to it. There are no
    parameters of single scenes, so a scene that the run did not name is like any other.

    Args:
        scenes: names of all S scenes.
        dim: D.
        pool: a partial that takes `dim`: global aggregation; None means the mean over positions.
        local: a partial that takes `dim`: an attention whose pattern is a window.
        dropout: share dropped of what is added.
    """

    mixes_views = True

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        local: Callable[..., Attention],
        pool: Callable[..., Attention] | None = None,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim)
        self.norm = nn.LayerNorm(dim)
        self.pool = Pool(dim, pool)
        self.local = local(dim)
        self.output = nn.Linear(2 * dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Features]) -> Fused:
        normed = {name: Features(self.norm(scene.values), scene.allow) for name, scene in features.items()}
        pooled = [self.pool(scene)[0] * scene.present.unsqueeze(-1) for scene in normed.values()]
        whole = mean_of_present(features, pooled)
        return Fused({name: self.completed(scene, normed[name], whole) for name, scene in features.items()}, None)

    def completed(self, scene: Features, normed: Features, whole: Tensor) -> Features:
        near = self.local(normed.values, key_allow=normed.allow).context  # (B, T, D)
        both = torch.cat((whole.unsqueeze(1).expand_as(near), near), dim=-1)  # (B, T, 2·D)
        return Features(scene.values + self.dropout(self.output(both)), scene.allow)
