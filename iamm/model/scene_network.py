"""The network of this project: encoder → fusion → head, composed in `configs/model/`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from iamm.dataset.base import Scene, SceneBatch
from iamm.encoder.base import Encoder, Features, present_mean
from iamm.fusion.base import Fusion, Interest
from iamm.head.base import AttentionMap, Head, Outputs
from iamm.measure import Measure
from iamm.model.sharing import module_of, modules, shared_scenes
from iamm.penalty import Penalised, Penalties, summed
from iamm.sharing import Share

Batch = Mapping[str, SceneBatch]
"""One aligned group: the scenes of one data set, row b of each a view of the same instance."""


class Outcome(NamedTuple):
    """The network's results for one group.

    Shapes:
        losses: per scene, ()
        scene_weights: per scene, the mean attention (S,) of its present examples over all scenes; None if there is none
        features: per scene, (B, T, D): the input of its head
        representation: (B, T, D) each, encoder outputs that several scenes read; empty if no scene reads another's
        penalties: by name, (G,), a mean over the examples of each scene; their sum is added to the weighted losses
    """

    losses: Mapping[str, Tensor]
    scene_weights: Mapping[str, Tensor] | None
    features: Mapping[str, Tensor]
    representation: Sequence[Tensor]
    penalties: Penalties


class SceneNetwork(nn.Module):
    """Encoders and heads for single scenes or groups of scenes, with one fusion between them.

    Args:
        scenes: all scenes of the run, in the order of losses and weights.
        dim: D, the width of all features.
        encoder: per kind of input a partial that takes (scene, dim).
        fusion: a partial that takes (names of the scenes, dim).
        head: per task a partial that takes (scene, dim).
        share_encoder: `none`, `kind` (all scenes of one kind with the same vocabulary or pixel format), or groups of
            scenes by name; a shared encoder is built from the training data of all of them.
        share_head: `none`, `kind` (all scenes of one task with the same classes or vocabulary), or groups by name.

    Raises:
        ValueError: a scene whose kind of input or task has no encoder or head; scenes that cannot share one.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        dim: int,
        *,
        encoder: Mapping[str, Callable[..., Encoder]],
        fusion: Callable[..., Fusion],
        head: Mapping[str, Callable[..., Head]],
        share_encoder: Share = "none",
        share_head: Share = "none",
    ) -> None:
        super().__init__()
        for scene in scenes:
            if scene.kind not in encoder or scene.task not in head:
                raise ValueError(
                    f"A scene needs an encoder of its kind and a head of its task. Found {scene.name} ({scene.kind}, "
                    f"{scene.task}), encoders {sorted(encoder)} and heads {sorted(head)}: choose a model with both."
                )
        self.names = tuple(scene.name for scene in scenes)
        self.encoders = modules(scenes, share_encoder, "encoder", lambda scene: encoder[scene.kind](scene, dim))
        self.fusion = fusion(self.names, dim)
        self.reads_all_scenes = self.fusion.reads_all_scenes
        self.heads = modules(scenes, share_head, "head", lambda scene: head[scene.task](scene, dim))

    def add_scene(self, scene: Scene, known: Sequence[Scene]) -> None:
        """Give a scene that the network was not built for the encoder and the head that the known scenes like it share.

        The scene has no place among `names`: no weight of a scene is its, and the fusion treats it as unknown.

        Args:
            scene: to be added.
            known: all scenes of the network.

        Raises:
            ValueError: no known scene is like it, or those that are do not share their module.
        """
        self.encoders[scene.name] = module_of(scene, known, "encoder", self.encoders)
        self.heads[scene.name] = module_of(scene, known, "head", self.heads)

    def head_parameters(self) -> list[list[nn.Parameter]]:
        """Per scene, the parameters of its head; empty for a shared head."""
        shared = shared_scenes(self.heads)
        return [[] if name in shared else list(self.heads[name].parameters()) for name in self.names]

    def shared_head_parameters(self) -> list[nn.Parameter]:
        """Parameters of the heads that several scenes share."""
        return parameters_of(self.heads, shared_scenes(self.heads))

    def trunk_parameters(self) -> list[nn.Parameter]:
        """Parameters in front of the heads: of encoders and fusion."""
        return [*self.encoders.parameters(), *self.fusion.parameters()]

    def shared_parameters(self, groups: Sequence[Sequence[str]]) -> list[nn.Parameter]:
        """Parameters in front of the heads that receive gradients of several scenes.

        These are the fusion's, those of shared encoders, and those of encoders whose outputs the fusion mixes. The
        fusion's include those for a single scene, such as its pooling.

        Args:
            groups: names of the scenes of each data set.
        """
        together = [self.names] if self.reads_all_scenes else groups
        mixed = {name for group in together if self.fusion.mixes_views and len(group) > 1 for name in group}
        encoders = parameters_of(self.encoders, mixed | shared_scenes(self.encoders))
        return [*encoders, *self.fusion.parameters()] if len(self.names) > 1 else []

    def penalties(self) -> dict[str, Tensor]:
        """Penalties that depend on parameters only."""
        return summed(module.penalties() for module in self.modules() if isinstance(module, Penalised))

    def set_progress(self, progress: float) -> None:
        """Set the progress of training, in [0, 1]."""
        self.fusion.progress = progress

    def end_step(self, *, applied: bool = True) -> None:
        """Update buffers from the step's examples, or drop these if the step was skipped."""
        self.fusion.end_step(applied=applied)

    def end_validation(self, qualities: Mapping[str, float]) -> None:
        """Pass on each scene's quality, after the model of this validation has been saved."""
        self.fusion.end_validation(qualities)

    def head(self, name: str) -> Head:
        return cast(Head, self.heads[name])

    def encoder(self, name: str) -> Encoder:
        return cast(Encoder, self.encoders[name])

    def encoded(self, batch: Batch) -> dict[str, Features]:
        """Outputs of the encoders."""
        return {name: self.encoder(name)(part.inputs, part.present) for name, part in batch.items()}

    def features(self, batch: Batch) -> tuple[Mapping[str, Features], Mapping[str, Tensor] | None]:
        """Inputs of the heads of the group's scenes, and the scene weights (B, S), if any."""
        fused = self.fusion(self.encoded(batch))
        return fused.features, fused.scene_weights

    def forward(self, batch: Batch) -> Outcome:
        encoded = self.encoded(batch)
        features, weights, penalties = self.fusion(encoded)
        losses = {name: self.head(name).loss(features[name], part) for name, part in batch.items()}
        attended = weights and {name: mean_scene_weights(weights[name], batch[name].present) for name in batch}
        read = {name: part.values for name, part in features.items()}
        mixed = self.fusion.mixes_views and len(batch) > 1
        representation = [part.values for part in encoded.values()] if mixed else []
        return Outcome(losses, attended, read, representation, penalties)

    def counts(self, batch: Batch) -> Tensor:
        """Numbers of terms over which the scenes' losses are means.  # (scenes of the batch,)"""
        return torch.stack([self.head(name).count(part) for name, part in batch.items()])

    @torch.no_grad()
    def observe(self, batch: Batch, only: str | None = None) -> tuple[dict[str, Outputs], dict[str, Tensor]]:
        """Outputs of each head for this group, or of one scene's, and the weights of its present examples, (n, S)."""
        features, weights = self.features(batch)
        read = {name: part for name, part in batch.items() if only in (None, name)}
        outputs = {name: self.head(name).observe(features[name], part) for name, part in read.items()}
        attended = {} if weights is None else {name: weights[name][part.present] for name, part in batch.items()}
        return outputs, attended

    def measure(self, outputs: Mapping[str, Sequence[Outputs]]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
        """Measures of each scene, and its quality: the selection measure, with the sign that makes higher better."""
        measures = {name: self.head(name).measure(parts) for name, parts in outputs.items()}
        selects = {name: self.head(name).selects for name in measures}
        return measures, {name: selects[name].quality(values[selects[name].name]) for name, values in measures.items()}

    def details(self, outputs: Mapping[str, Sequence[Outputs]]) -> dict[str, Mapping[str, Any]]:
        """Per scene, the details that its head adds to the measures, if any."""
        details = {name: self.head(name).details(parts) for name, parts in outputs.items()}
        return {name: values for name, values in details.items() if values}

    def declared_measures(self) -> dict[str, dict[str, Measure]]:
        """Per scene, the measures of its head by name."""
        return {name: {measure.name: measure for measure in self.head(name).measures} for name in self.heads}

    @torch.no_grad()
    def teaching(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Per scene of the group, the logits (n, C) of its head and the features (B, T, D) that it reads."""
        features, _ = self.features(batch)
        return {name: (self.head(name).term_logits(features[name], batch[name]), features[name].real) for name in batch}

    @torch.no_grad()
    def answers(self, batch: Batch, name: str) -> list[dict[str, Any]]:
        """The answer of a scene's head for each example of the group."""
        features, _ = self.features(batch)
        return self.head(name).answers(features[name])

    @torch.no_grad()
    def head_attention(self, batch: Batch, name: str) -> AttentionMap | None:
        """The attention of a scene's head; None if it has no attention."""
        features, _ = self.features(batch)
        return self.head(name).attention_map(features[name])

    @torch.no_grad()
    def encoder_attention(self, batch: Batch, name: str) -> list[Tensor]:
        """The weights (B, H, T, T) of each self-attention in a scene's encoder, if any."""
        return self.encoder(name).attention_map(batch[name].inputs, batch[name].present)

    @torch.no_grad()
    def interest(self, batch: Batch) -> Mapping[str, Interest]:
        """The interest of each scene of the group; empty where the fusion has none."""
        return self.fusion.describe(self.encoded(batch))

    @torch.no_grad()
    def fusion_attention(self, batch: Batch) -> dict[str, Tensor]:
        """Per scene of the group, the weights (B, H, S) of all scenes, head by head, if the fusion has any."""
        return self.fusion.attention_map(self.encoded(batch))


def parameters_of(parts: nn.ModuleDict, names: Collection[str]) -> list[nn.Parameter]:
    """Parameters of the named modules, without repetition, in the order of the scenes."""
    return list(nn.ModuleList(part for name, part in parts.items() if name in names).parameters())


def mean_scene_weights(weights: Tensor, present: Tensor) -> Tensor:
    """Detached mean of (B, S) over the present rows; zero if no row is present.  # (S,)"""
    return present_mean(weights.detach(), present)
