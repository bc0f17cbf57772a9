"""Scenes of text classification, built from rows of a class and a text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import CLASS, TOKENS
from iamm.dataset.vocabulary import Vocabulary, WordVocabulary, padded


class Labelled(NamedTuple):
    """A text and its class, counted from 0."""

    label: int
    text: str


def shared_words(scenes: Iterable[Mapping[str, Sequence[Labelled]]], min_count: int) -> Vocabulary:
    """A vocabulary of all scenes' training texts, so that the scenes can share an encoder."""
    return WordVocabulary.learn((row.text for scene in scenes for row in scene["train"]), min_count=min_count)


def text_scene(
    name: str, rows: Mapping[str, Sequence[Labelled]], classes: tuple[str, ...], vocabulary: Vocabulary, max_length: int
) -> Scene:
    """A text classification; in every split, texts are cut to their first `max_length` tokens."""
    splits = {split: text_split(texts, vocabulary, max_length) for split, texts in rows.items()}
    return Scene(name, "text", "classification", splits, {"text": TOKENS}, CLASS, classes, source=vocabulary)


def text_split(rows: Sequence[Labelled], vocabulary: Vocabulary, max_length: int) -> Split:
    inputs = padded(ids[:max_length] for ids in vocabulary.encode_all([row.text for row in rows]))  # (N, T)
    targets = torch.tensor([row.label for row in rows], dtype=torch.int64)
    return Split({"text": inputs}, targets, torch.ones(len(rows), dtype=torch.bool))


def cut_notices(name: str, scenes: Iterable[Mapping[str, Sequence[Labelled]]], max_length: int) -> tuple[str, ...]:
    """A notice on the number of texts that are cut."""
    lengths = [len(row.text.split()) for scene in scenes for rows in scene.values() for row in rows]
    count = sum(length > max_length for length in lengths)
    return (f"{name}: {count:,} of {len(lengths):,} texts are cut to their first {max_length} words.",) if count else ()


def text_datasets(
    name: str,
    rows: Mapping[str, Mapping[str, Sequence[Labelled]]],
    classes: Mapping[str, tuple[str, ...]],
    notices: Sequence[str],
    *,
    min_count: int,
    max_length: int,
    batch_size: int,
) -> list[Dataset]:
    """A data set for each scene, over one vocabulary; the first one has the notices of all.

    Args:
        name: of the variant; the scenes are named `<name>_<scene>`.
        rows: scene → split → texts.
        classes: of each scene.
        notices: on the texts; those on cut texts are appended.
        min_count: occurrences in train from which a word has its own id.
        max_length: largest number of tokens of a text.
        batch_size: of each data set.
    """
    vocabulary = shared_words(rows.values(), min_count)
    notices = (*notices, *cut_notices(name, rows.values(), max_length))
    built = [text_scene(f"{name}_{scene}", rows[scene], classes[scene], vocabulary, max_length) for scene in rows]
    return [
        Dataset(scene.name, (scene,), batch_size, notices=() if number else notices)
        for number, scene in enumerate(built)
    ]
