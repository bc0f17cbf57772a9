"""Scenes without their examples, as plain JSON, from which a trained model is built without the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from iamm.dataset.base import Scene, Split
from iamm.dataset.fields import Field
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import Vocabulary, vocabulary_of

TYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (torch.uint8, torch.int64, torch.float32, torch.float64)}
"""Name → type of the values of a field."""


def outline(groups: Iterable[Sequence[Scene]]) -> dict[str, Any]:
    """Describe all scenes of a run, by data set, with each vocabulary once.

    Args:
        groups: the scenes of each data set.
    """
    vocabularies: list[Vocabulary] = []

    def place(vocabulary: Vocabulary | None) -> int | None:
        if vocabulary is None:
            return None
        if not any(vocabulary is other for other in vocabularies):
            vocabularies.append(vocabulary)
        return next(place for place, other in enumerate(vocabularies) if vocabulary is other)

    described = [[described_scene(scene) for scene in group] for group in groups]
    for group, contents in zip(groups, described, strict=True):
        for scene, content in zip(group, contents, strict=True):
            content |= {"source": place(scene.source), "target": place(scene.target)}
    return {"groups": described, "vocabularies": [vocabulary.as_json() for vocabulary in vocabularies]}


def described_scene(scene: Scene) -> dict[str, Any]:
    train = scene.splits["train"]
    return {
        **{"name": scene.name, "kind": scene.kind, "task": scene.task, "classes": list(scene.classes)},
        "fields": {
            name: described_field(field, train.inputs[name], train.present) for name, field in scene.fields.items()
        },
        "target_field": described_field(scene.target_field, train.targets, train.present),
        "text_format": None if scene.text_format is None else asdict(scene.text_format),
    }


def described_field(field: Field, values: Tensor, present: Tensor) -> dict[str, Any]:
    """Describe a field: its declaration, the type of its values, and the shape of the longest present example."""
    shape = list(values.shape[1:])
    if field.padding is not None:
        shape[0] = int(field.lengths(values[present]).max())
    return {**asdict(field), "type": str(values.dtype).removeprefix("torch."), "shape": shape}


def scenes_of(content: Mapping[str, Any]) -> list[list[Scene]]:
    """Make the scenes that `outline` describes, by data set, each with one training example of the original shape, type
    and length."""
    vocabularies = [vocabulary_of(each) for each in content["vocabularies"]]
    return [[scene_of(scene, vocabularies) for scene in group] for group in content["groups"]]


def scene_of(content: Mapping[str, Any], vocabularies: Sequence[Vocabulary]) -> Scene:
    inputs = {name: stand_in(each) for name, each in content["fields"].items()}
    source, target = (None if content[name] is None else vocabularies[content[name]] for name in ("source", "target"))
    return Scene(
        **{name: content[name] for name in ("name", "kind", "task")},
        splits={"train": Split(inputs, stand_in(content["target_field"]), torch.ones(1, dtype=torch.bool))},
        fields={name: declared(each) for name, each in content["fields"].items()},
        target_field=declared(content["target_field"]),
        classes=tuple(content["classes"]),
        source=source,
        target=target,
        text_format=content["text_format"] and TextFormat(**content["text_format"]),
    )


def declared(content: Mapping[str, Any]) -> Field:
    return Field(content["kind"], content["padding"])


def stand_in(content: Mapping[str, Any]) -> Tensor:
    """Make one example without padding.  # (1, …)"""
    value = 0 if content["padding"] is None else content["padding"] + 1
    return torch.full((1, *content["shape"]), value, dtype=TYPES[content["type"]])
