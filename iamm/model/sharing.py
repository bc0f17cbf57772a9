"""Encoders and heads that several scenes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from iamm.dataset.base import Field, Scene, Split
from iamm.dataset.vocabulary import Vocabulary
from iamm.sharing import RULES, Share, groups


def modules(scenes: Sequence[Scene], share: Share, part: str, make: Callable[[Scene], nn.Module]) -> nn.ModuleDict:
    """Build a module for each scene, by its name; the scenes of a group have the same one.

    Args:
        scenes: of the run, in their order.
        share: how they are grouped.
        part: `encoder` or `head`.
        make: builds a module from a scene; for a group, from a scene with the training data of all.

    Raises:
        ValueError: the scenes of a group cannot share a module; a scene has the name of an attribute of modules.
    """
    for scene in scenes:
        if hasattr(nn.ModuleDict(), scene.name) or hasattr(nn.ParameterDict(), scene.name):
            raise ValueError(f"A scene's name must be free in PyTorch's modules. Found {scene.name}: choose another.")
    alike = {scene.name: scene.name if share == "none" else FORMATS[part](scene) for scene in scenes}
    by_name, made = {scene.name: scene for scene in scenes}, dict[str, nn.Module]()
    for names in groups(share, alike, part):
        group = [by_name[name] for name in names]
        made |= dict.fromkeys(names, make(group[0] if len(group) == 1 else pooled(group, part)))
    return nn.ModuleDict({name: made[name] for name in by_name})


def module_of(scene: Scene, known: Sequence[Scene], part: str, parts: nn.ModuleDict) -> nn.Module:
    """The one encoder or head of all known scenes that are like a scene: that of its kind.

    Raises:
        ValueError: no known scene is like it, or such scenes have several.
    """
    wanted = FORMATS[part](scene)
    alike = [each.name for each in known if FORMATS[part](each) == wanted]
    if not alike:
        raise ValueError(
            f"A scene that a model was not trained for needs a known one with {RULES[part]}. Found none like "
            f"{scene.name} among {', '.join(each.name for each in known)}: choose another, or set share.{part}=kind "
            "where their vocabularies alone differ."
        )
    if len({id(parts[name]) for name in alike}) > 1:
        raise ValueError(
            f"A scene that a model was not trained for takes the {part} that known scenes share. Found {len(alike)} "
            f"like {scene.name}, each with its own: set share.{part}=kind."
        )
    return parts[alike[0]]


def shared_scenes(parts: nn.ModuleDict) -> set[str]:
    """The names of the scenes that share their module with another scene."""
    count = Counter(id(module) for module in parts.values())
    return {name for name, module in parts.items() if count[id(module)] > 1}


def input_format(scene: Scene) -> Hashable:
    """The properties that scenes with a shared encoder must have in common: kind, fields, shapes and vocabulary."""
    inputs = scene.splits["train"].inputs
    fields = tuple((name, field, entry(field, inputs[name])) for name, field in scene.fields.items())
    return scene.kind, fields, pieces(scene.source)


def target_format(scene: Scene) -> Hashable:
    """The properties that scenes with a shared head must have in common: task, and classes or vocabulary."""
    return scene.task, scene.target_field, scene.classes, pieces(scene.target)


FORMATS: Mapping[str, Callable[[Scene], Hashable]] = {"encoder": input_format, "head": target_format}
"""Part of a network → the properties in which scenes that share it agree."""


def entry(field: Field, values: Tensor) -> tuple[int, ...]:
    """The shape of one entry, such as a picture, without the padded dimension."""
    return tuple(values.shape[1 if field.padding is None else 2 :])


def pieces(vocabulary: Vocabulary | None) -> tuple[str, ...]:
    return () if vocabulary is None else tuple(vocabulary.piece(index) for index in range(len(vocabulary)))


def pooled(scenes: Sequence[Scene], part: str) -> Scene:
    """A copy of the first scene with the training examples of all: inputs for an encoder, targets for a head, or both
    for an encoder if the scenes have one task and the same classes.

    The examples of the scenes are interleaved in proportion to their numbers, so the first n represent all of them.
    """
    first, train = scenes[0], [scene.splits["train"] for scene in scenes]
    order = torch.cat([torch.arange(len(split)) / max(len(split), 1) for split in train]).argsort(stable=True)
    present = torch.cat([split.present for split in train])[order]
    inputs, targets = dict[str, Tensor](), torch.zeros(len(order), dtype=torch.int64)
    if part == "encoder":
        for name, field in first.fields.items():
            inputs[name] = joined(field, [split.inputs[name] for split in train])[order]
    if part == "head" or len({(scene.task, scene.target_field, scene.classes) for scene in scenes}) == 1:
        targets = joined(first.target_field, [split.targets for split in train])[order]
    name = "+".join(scene.name for scene in scenes)
    return replace(first, name=name, splits={"train": Split(inputs, targets, present)})


def joined(field: Field, parts: Sequence[Tensor]) -> Tensor:
    """The rows of all parts, padded to the longest if the field is padded."""
    if field.padding is not None:
        longest = max(part.shape[1] for part in parts)
        parts = [filled(part, longest, field.padding) for part in parts]
    return torch.cat(list(parts))


def filled(values: Tensor, length: int, padding: int) -> Tensor:
    """Pad rows: (N, T, …) → (N, length, …)."""
    more = values.new_full((len(values), length - values.shape[1], *values.shape[2:]), padding)
    return torch.cat((values, more), dim=1)
