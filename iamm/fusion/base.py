"""The contract of every fusion: how scenes of one aligned group share, with each other and with scenes elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.encoder.base import Features
from iamm.penalty import Penalties


class Fused(NamedTuple):
    """What each scene's head is given, what was attended to, and what this batch adds to the losses.

    Shapes:
        features: per scene of the group, values (B, T, D) and allow (B, T), as they came in
        scene_weights: per scene of the group, (B, S): how much each of all S scenes counted, summing to 1 over S (or 0
            where nothing is present); None where a fusion has no such weights
        penalties: by name, (), weighted by a key of the fusion; minimised beside the weighted losses
    """

    features: Mapping[str, Features]
    scene_weights: Mapping[str, Tensor] | None
    penalties: Penalties = MappingProxyType({})


class Interest(NamedTuple):
    """What guides B examples of one scene, for a report on a trained model.

    Shapes:
        recognised: (B, S), p: how much the example resembles each known scene
        weights: (B, S), w: how much each scene counts
        places: (B, K, T), α: where each of K interest vectors looks in the example's own scene
    """

    recognised: Tensor
    weights: Tensor
    places: Tensor


class Fusion(Constrained, nn.Module):
    """Features of one aligned group of scenes in, features for their heads out.

    Scenes in one group are views of the same instances (row b of each is instance b); an absent view (a row with
    nothing allowed) is masked. Other scenes are met through what they have learnt, never through an example's data.

    A parameter of one scene is stored by the scene's name, so that a scene can be added to a trained model.

    Args:
        scenes: names of all S scenes of the run, in their order.
        dim: D.
    """

    has_parameters = True
    """False where scenes share no parameters in this fusion."""

    gives_scene_weights = False
    """True where `Fused.scene_weights` is there for every batch."""

    mixes_views = False
    """True where a scene of a group reads what the encoders of the other scenes of the group gave."""

    reads_all_scenes = False
    """True where one call gets the batches of all data sets of a training step, each with a B of its own. In evaluation
    it gets one data set's group at a time, as every fusion does."""

    controls: tuple[str, ...] = ()
    """What can stand in for interest in a trained model: a report sets `control` to each of them and measures anew."""

    control = "learnt"
    """What decides in place of interest; `learnt` is interest itself."""

    progress = 0.0
    """How much of the training is over, in [0, 1]: the loop sets it before each step, for schedules such as that of a
    gradient reversal. No prediction may depend on it: a model that is read from a file has 0."""

    def __init__(self, scenes: Sequence[str], dim: int) -> None:
        super().__init__()
        self.scenes = tuple(scenes)
        self.dim = dim

    def forward(self, features: Mapping[str, Features]) -> Fused:
        """The features of the scenes of one group, all with the same B.

        A scene that is not among `scenes` is answered too, by what the fusion keeps for unknown scenes
        (`iamm.fusion.by_scene`) or by what all scenes share; it has no column in the scene weights.
        """
        raise NotImplementedError

    def end_step(self, *, applied: bool = True) -> None:
        """Called after each optimizer step: the place to write what is kept of the step's examples, in buffers.

        Args:
            applied: False where the step was left out, and its examples are not to be kept.
        """

    def end_validation(self, qualities: Mapping[str, float]) -> None:
        """Called after each validation with each scene's quality; what it changes belongs into a buffer."""

    def describe(self, features: Mapping[str, Features]) -> Mapping[str, Interest]:
        """The interest of each scene of the group; empty where a fusion has none."""
        return {}

    def attention_map(self, features: Mapping[str, Features]) -> dict[str, Tensor]:
        """For pictures: per scene of the group, (B, H, S), the weights whose mean over heads are the scene weights."""
        return {}


def present_mean(values: Tensor, present: Tensor) -> Tensor:
    """Mean over the present rows of (B,); zero where none is.  # ()"""
    return (values * present).sum() / present.sum().clamp(min=1)


class SceneMemory(nn.Module):
    """M learnt slots (M, D) a scene, by its name: what a scene has learnt, for examples of others to attend to.

    A scene's own examples read its slots too; so a slot is formed by its own scene as well as by those that borrow it.

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

    def read(self, query: Tensor) -> Tensor:
        """softmax(query · slotᵀ / √D) slot, scene by scene: (B, D) → (B, S, D)."""
        slots = self.all_slots()
        scores = torch.einsum("bd,smd->bsm", query, slots) / query.shape[-1] ** 0.5
        return torch.einsum("bsm,smd->bsd", scores.softmax(dim=-1), slots)
