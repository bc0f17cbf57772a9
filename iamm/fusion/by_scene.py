"""Parameters of single scenes, by the scene's name, and parameters for unknown scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from iamm.constraints import ShareBelow1
from iamm.encoder.base import Features, Pool
from iamm.fusion.base import Fused, Fusion

UNKNOWN = ""
"""The name of a scene whose identity is hidden; no scene has it."""

Part = TypeVar("Part", bound=nn.Module)


class ByScene(nn.Module, Generic[Part]):
    """One module for each scene by its name, and one for every scene that the run did not name.

    Args:
        scenes: names of all S scenes.
        make: makes the module of one scene.
    """

    def __init__(self, scenes: Sequence[str], make: Callable[[], Part]) -> None:
        super().__init__()
        self.own = nn.ModuleDict({name: make() for name in scenes})
        self.unknown = make()

    def __getitem__(self, name: str) -> Part:
        return cast(Part, self.own[name]) if name in self.own else self.unknown


class BySceneFusion(Fusion):
    """A fusion with parameters of single scenes: x'_s = f_s(x_s), or more where a subclass overrides `forward`.

    In training, a scene of a call is treated as unknown with probability `scene_dropout`, its whole batch at once. So
    the parameters for unknown scenes learn from all scenes of the run. In evaluation a scene of the run uses its
    parameters. This is ours: the papers have no unknown scene, so `scene_dropout=0` is their training.

    Args:
        scenes: names of all S scenes.
        dim: D.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(self, scenes: Sequence[str], dim: int, *, scene_dropout: ShareBelow1 = 0.1) -> None:
        super().__init__(scenes, dim)
        self.scene_dropout = scene_dropout

    def identity(self, name: str) -> str:
        """Give the name whose parameters a scene uses in this call: that of the scene, or `UNKNOWN`."""
        hidden = self.training and self.scene_dropout > 0 and torch.rand(()).item() < self.scene_dropout
        return UNKNOWN if hidden else name

    def forward(self, features: Mapping[str, Features]) -> Fused:
        values = {name: self.mapped(scene.values, self.identity(name)) for name, scene in features.items()}
        return Fused({name: Features(values[name], scene.allow) for name, scene in features.items()}, None)

    def mapped(self, values: Tensor, name: str) -> Tensor:
        """f of the scene `name`, position by position: (B, T, D) → (B, T, D)."""
        raise NotImplementedError


class SceneVector(nn.Module):
    """e_s, the learnt vector of one scene.

    Args:
        width: its length.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.randn(width) / width**0.5)

    def forward(self, values: Tensor) -> Tensor:
        """[x; e_s] at each position: (B, T, D) → (B, T, D + width)."""
        return torch.cat((values, self.value.expand(*values.shape[:-1], -1)), dim=-1)


class ScenePools(ByScene[Pool]):
    """Pools of the views of a group, with a query for each scene.

    Args:
        scenes: names of all S scenes.
        make: makes the pool of one scene.
    """

    def forward(self, features: Mapping[str, Features], identities: Mapping[str, str]) -> dict[str, Tensor]:
        """Pool each scene of the group, (B, D), zero where the view is absent; identities: scene → `identity`."""
        return {
            name: self[identities[name]](scene)[0] * scene.present.unsqueeze(-1) for name, scene in features.items()
        }


def with_added(features: Mapping[str, Features], vector: Tensor) -> dict[str, Features]:
    """Add a vector (B, D) to each position of every scene's features."""
    return {name: Features(scene.values + vector.unsqueeze(1), scene.allow) for name, scene in features.items()}


def mean_of_present(features: Mapping[str, Features], vectors: Sequence[Tensor]) -> Tensor:
    """Mean of the present views' vectors, each zero where its view is absent; zero where none is present.  # (B, D)"""
    count = torch.stack([scene.present for scene in features.values()]).sum(dim=0).clamp(min=1)
    return torch.stack(list(vectors)).sum(dim=0) / count.unsqueeze(-1)
