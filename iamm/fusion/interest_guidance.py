"""IAMM's own fusion: an interest vector weighs the scenes, and their weighted sum guides each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constraints import ShareBelow1, Width
from iamm.encoder.base import Features, Pool
from iamm.fusion.base import Fused, Fusion, SceneMemory


class InterestGuidanceFusion(Fusion):
    """w = softmax_i(qᵀx_i / √D), h = Σ_i w_i x_i, x'_s = x_s + W h (D0 §3.1.2 and §4).

    The √D is ours; `attention@fusion.attention=dot_product` gives the document's form.

    x_i is scene i's vector. For a scene of the group: its features pooled by attention, plus what its memory holds for
    this instance; masked where the view is absent. For a scene elsewhere (unpaired): its memory alone, read by this
    instance. q comes from an interest recogniser, q_s = MLP(mean of the present x_i) + e_s, learnt end to end; e_s is
    the scene that asks, so that each task has an interest of its own.

    Args:
        scenes: names of all S scenes.
        dim: D.
        attention: a partial that takes `dim`: how q weighs the scenes (the formula: scaled_dot_product).
        pool: a partial that takes `dim`: how a scene's places become x_i; None means their mean.
        slots: M, learnt memory slots a scene.
        dropout: share dropped of W h.
    """

    gives_scene_weights = True
    mixes_views = True

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        attention: Callable[..., Attention],
        pool: Callable[..., Attention] | None = None,
        slots: Width = 4,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim)
        self.pools = nn.ModuleDict({name: Pool(dim, pool) for name in self.scenes})
        self.memory = SceneMemory(self.scenes, slots, dim)
        self.recognise = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.asking = nn.ParameterDict({name: torch.zeros(dim) for name in self.scenes})
        self.attention = attention(dim)
        self.output = nn.Linear(dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Features]) -> Fused:
        guide, weights = self.guided(features)
        added = self.dropout(self.output(guide))  # (B, G, D)
        fused = {
            name: Features(scene.values + added[:, place, None], scene.allow)
            for place, (name, scene) in enumerate(features.items())
        }
        mean = weights.mean(dim=1)  # (B, G, S)
        return Fused(fused, {name: mean[:, place] for place, name in enumerate(features)})

    def attention_map(self, features: Mapping[str, Features]) -> dict[str, Tensor]:
        _, weights = self.guided(features)
        return {name: weights[:, :, place] for place, name in enumerate(features)}  # (B, H, S)

    def guided(self, features: Mapping[str, Features]) -> tuple[Tensor, Tensor]:
        """h (B, G, D) of the G scenes of the group, and w (B, H, G, S)."""
        vectors, known = self.scene_vectors(features)
        query = self.interest(features, vectors, known)  # (B, G, D)
        guide, weights, _ = self.attention(query, vectors, key_allow=known, need_weights=True)
        assert weights is not None
        return guide, weights

    def scene_vectors(self, features: Mapping[str, Features]) -> tuple[Tensor, Tensor]:
        """x (B, S, D), and which are known (B, S): present views and all scenes outside the group."""
        pooled = {name: self.pools[name](scene)[0] for name, scene in features.items()}
        present = {name: scene.present for name, scene in features.items()}
        read = self.memory.read(group_mean(pooled, present))  # (B, S, D)
        nothing, everywhere = torch.zeros_like(read[:, 0]), torch.ones_like(next(iter(present.values())))
        x = read + torch.stack([pooled.get(name, nothing) for name in self.scenes], dim=1)
        known = torch.stack([present.get(name, everywhere) for name in self.scenes], dim=1)
        return x, known

    def interest(self, features: Mapping[str, Features], vectors: Tensor, known: Tensor) -> Tensor:
        """q_s for each scene of the group, from the group's own present vectors.  # (B, G, D)"""
        own = [self.scenes.index(name) for name in features]
        weight = known[:, own].unsqueeze(-1).to(vectors.dtype)
        mean = (vectors[:, own] * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)  # (B, D)
        return self.recognise(mean).unsqueeze(1) + torch.stack([self.asking[name] for name in features])


def group_mean(pooled: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
    """Mean of the present views' vectors; zero where none is.  # (B, D)"""
    total = torch.stack([vector * present[name].unsqueeze(-1) for name, vector in pooled.items()]).sum(dim=0)
    count = torch.stack(list(present.values())).sum(dim=0).clamp(min=1)
    return total / count.unsqueeze(-1)
