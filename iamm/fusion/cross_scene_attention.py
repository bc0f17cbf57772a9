"""Every place of a scene attends to the places of the other scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constraints import ShareBelow1, Width
from iamm.encoder.base import Features
from iamm.fusion.base import Fused, Fusion


class SceneMemory(nn.Module):
    """M learnt slots (M, D) per scene, by its name, to which examples of other scenes attend.

    A scene's examples read its slots too; so a slot is trained by its scene and by those that read it.

    Args:
        scenes: names of all S scenes, in their order.
        slots: M.
        dim: D.
    """

    def __init__(self, scenes: Sequence[str], slots: int, dim: int) -> None:
        super().__init__()
        start = torch.randn(len(scenes), slots, dim) / dim**0.5
        self.slots = nn.ParameterDict({name: row.clone() for name, row in zip(scenes, start, strict=True)})

    def all_slots(self) -> Tensor:
        return torch.stack(list(self.slots.values()))  # (S, M, D)


class CrossSceneAttentionFusion(Fusion):
    """x'_s = x_s + W · attention(query = x_s, keys = the other views' places and all scenes' memories).

    The comparison model of D0 §5.5.3. Paired scenes attend to each other's places in the same instance; an absent view
    is masked. Unpaired scenes attend only to the learnt memories.

    Args:
        scenes: names of all S scenes.
        dim: D.
        attention: a partial that takes `dim`.
        slots: M, learnt memory slots a scene.
        dropout: share dropped of what is added.
    """

    mixes_views = True

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        attention: Callable[..., Attention],
        slots: Width = 4,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim)
        self.norm = nn.LayerNorm(dim)
        self.attention = attention(dim)
        self.memory = SceneMemory(self.scenes, slots, dim)
        self.output = nn.Linear(dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Features]) -> Fused:
        return Fused({name: self.attend(name, features) for name in features}, None)

    def attend(self, name: str, features: Mapping[str, Features]) -> Features:
        scene = features[name]
        keys, allow = self.others(name, features)
        context = self.attention(self.norm(scene.values), keys, key_allow=allow).context  # (B, T, D)
        return Features(scene.values + self.dropout(self.output(context)), scene.allow)

    def others(self, name: str, features: Mapping[str, Features]) -> tuple[Tensor, Tensor]:
        """Join the memories of all scenes and the other views' places: keys (B, K, D) and key_allow (B, K)."""
        batch = features[name].values.shape[0]
        memory = self.memory.all_slots().flatten(0, 1).expand(batch, -1, -1)  # (B, S·M, D)
        views = [view for other, view in features.items() if other != name]
        keys = torch.cat((memory, *(self.norm(view.values) for view in views)), dim=1)
        return keys, torch.cat((memory.new_ones(memory.shape[:2], dtype=torch.bool), *(v.allow for v in views)), dim=1)
