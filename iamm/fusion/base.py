"""The base class of fusions, which share information between the scenes of an aligned group and with other scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.encoder.base import Features
from iamm.penalty import Penalties

NO_INTEREST = (
    "Interest is carried over by a fusion that has interest. Found {fusion}: choose fusion=interest_guidance, or "
    "another transfer."
)


class Fused(NamedTuple):
    """The output of a fusion: features for the heads, scene weights and penalties.

    Shapes:
        features: per scene of the group, values (B, T, D) and allow (B, T), in the input's shape
        scene_weights: per scene of the group, (B, S): the weight of each of all S scenes, with sum 1 over S (or 0
            where nothing is present); None where a fusion has no such weights
        penalties: by name, (G,): for each scene of the group the mean over its present examples, weighted by a key of
            the fusion; their sum is added to the weighted losses
    """

    features: Mapping[str, Features]
    scene_weights: Mapping[str, Tensor] | None
    penalties: Penalties = MappingProxyType({})


class Interest(NamedTuple):
    """The interest of B examples of one scene, for a report on a trained model.

    Shapes:
        recognised: (B, S), p: the similarity of the example to each known scene
        weights: (B, S), w: the weight of each scene
        places: (B, K, T), α: the attention of each of K interest vectors in the example's scene
        allow: (B, T) bool, which places the example has
        gates: (B, D), the mean gate of each feature over the example's places; (B, 0) without gates
        elsewhere: (B, K, T_i) by the name i of each other scene of the group: α there
    """

    recognised: Tensor
    weights: Tensor
    places: Tensor
    allow: Tensor
    gates: Tensor
    elsewhere: Mapping[str, Tensor] = MappingProxyType({})


class Fusion(Constrained, nn.Module):
    """A fusion maps the features of one aligned group of scenes to features for their heads.

    Scenes in one group are views of the same instances (row b of each is instance b); an absent view (a row with
    nothing allowed) is masked. Other scenes contribute learnt parameters or buffers, never an example's data.

    A parameter of one scene is stored by the scene's name, so that a scene can be added to a trained model.

    Args:
        scenes: names of all S scenes of the run, in their order.
        dim: D.
    """

    has_parameters = True
    """Whether scenes share parameters in this fusion."""

    gives_scene_weights = False
    """Whether every batch has `Fused.scene_weights`."""

    mixes_views = False
    """Whether a scene reads the encoded features of the other scenes of its group."""

    reads_all_scenes = False
    """Whether one call gets the batches of all data sets of a training step, with a B for each. In evaluation it gets
    one data set's group at a time, as every fusion does."""

    controls: tuple[str, ...] = ()
    """Replacements of interest in a trained model: a report sets `control` to each of them and evaluates the model."""

    control = "learnt"
    """The current replacement of interest; `learnt` is interest itself."""

    progress = 0.0
    """The progress of training in [0, 1]: the loop sets it before each step, for schedules such as that of a
    gradient reversal. No prediction may depend on it: a model that is read from a file has 0."""

    def __init__(self, scenes: Sequence[str], dim: int) -> None:
        super().__init__()
        self.scenes = tuple(scenes)
        self.dim = dim

    def forward(self, features: Mapping[str, Features]) -> Fused:
        """Fuse the features of the scenes of one group, all with the same B.

        A scene that is not among `scenes` uses the parameters for unknown scenes (`iamm.fusion.by_scene`) or those that
        all scenes share; it has no column in the scene weights.
        """
        raise NotImplementedError

    def add_scene(self, name: str) -> None:
        """Add parameters of its own for a scene that is not among `scenes`; until they are trained, nothing changes.

        Raises:
            ValueError: the fusion has none.
        """
        raise ValueError(NO_INTEREST.format(fusion=type(self).__name__))

    def resemble(self, name: str, weights: Tensor) -> None:
        """Give the examples of a scene that is not among `scenes` the interest of known ones, by fixed weights.

        Args:
            name: of the scene.
            weights: (S,), of all scenes, with sum 1.

        Raises:
            ValueError: the fusion has no interest.
        """
        raise ValueError(NO_INTEREST.format(fusion=type(self).__name__))

    def end_step(self, *, applied: bool = True) -> None:
        """Update buffers from the step's examples; called after each optimizer step.

        Args:
            applied: False if the step was skipped, and its examples must be dropped.
        """

    def end_validation(self, qualities: Mapping[str, float]) -> None:
        """Update buffers from each scene's quality; called after each validation."""

    def describe(self, features: Mapping[str, Features]) -> Mapping[str, Interest]:
        """Give the interest of each scene of the group; empty for a fusion without interest."""
        return {}

    def attention_map(self, features: Mapping[str, Features]) -> dict[str, Tensor]:
        """Give, per scene of the group, weights (B, H, S) whose means over heads are the scene weights, for figures."""
        return {}
