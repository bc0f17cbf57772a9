"""Scenes of several data sets that share an encoder or a head: one vocabulary of words, one list of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.vocabulary import SPECIAL, WordVocabulary
from iamm.names import in_order
from iamm.sharing import Share


def joined(datasets: Sequence[Dataset], share: Mapping[str, Share]) -> list[Dataset]:
    """Give scenes that share one vocabulary, or one list of labels.

    Vocabularies of subwords stay unchanged.

    Args:
        datasets: data sets of one class, whose scenes have one kind of input, and classes or numbers.
        share: how scenes are grouped, for `encoder` and `head`.
    """
    scenes = {scene.name: scene for dataset in datasets for scene in dataset.scenes}
    worded = {name: scene for name, scene in scenes.items() if isinstance(scene.source, WordVocabulary)}
    for group in groups(share["encoder"], worded):
        scenes |= one_vocabulary(group)
    for group in groups(share["head"], {name: scene for name, scene in scenes.items() if scene.classes}):
        scenes |= one_list_of_labels(group)
    return [with_scenes(dataset, scenes) for dataset in datasets]


def groups(share: Share, scenes: Mapping[str, Scene]) -> list[list[Scene]]:
    """Give the scenes of each group; a group by name may also name scenes of other data sets."""
    if isinstance(share, str):
        return [list(scenes.values())] if share == "kind" and scenes else []
    named = ([scenes[name] for name in group if name in scenes] for group in share)
    return [group for group in named if group]


def one_vocabulary(scenes: Sequence[Scene]) -> dict[str, Scene]:
    """Merge the vocabularies in the order of the scenes; a word that a scene's old one lacks stays unknown there."""
    pieces = dict.fromkeys(piece for scene in scenes for piece in words_of(scene))
    vocabulary = WordVocabulary(list(pieces))
    changed = {}
    for scene in scenes:
        ids = torch.tensor([*range(len(SPECIAL)), *(vocabulary.index[word] for word in words_of(scene))])
        splits = {name: with_ids(split, ids) for name, split in scene.splits.items()}
        lacks = len(words_of(scene)) < len(pieces)
        source = WordVocabulary(list(pieces), frozenset(words_of(scene))) if lacks else vocabulary
        changed[scene.name] = replace(scene, source=source, splits=splits)
    return changed


def words_of(scene: Scene) -> Sequence[str]:
    assert isinstance(scene.source, WordVocabulary)
    return scene.source.pieces[len(SPECIAL) :]


def with_ids(split: Split, ids: Tensor) -> Split:
    return Split({"text": ids[split.inputs["text"]]}, split.targets, split.present)


def one_list_of_labels(scenes: Sequence[Scene]) -> dict[str, Scene]:
    labels = in_order({label for scene in scenes for label in scene.classes})
    place = {label: number for number, label in enumerate(labels)}
    changed = {}
    for scene in scenes:
        ids = torch.tensor([place[label] for label in scene.classes])
        splits = {name: Split(part.inputs, ids[part.targets], part.present) for name, part in scene.splits.items()}
        changed[scene.name] = replace(scene, classes=labels, splits=splits)
    return changed


def with_scenes(dataset: Dataset, scenes: Mapping[str, Scene]) -> Dataset:
    """Copy a data set with its scenes replaced by those of the same names."""
    part = copy(dataset)
    part.scenes = tuple(scenes[scene.name] for scene in dataset.scenes)
    return part
