"""Classifications of texts: words to ids, and rows of a class and a text to a scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import CLASS, TOKENS
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import Vocabulary, WordVocabulary, padded


class Labelled(NamedTuple):
    """A text and its class, counted from 0."""

    label: int
    text: str


def shared_words(scenes: Iterable[Mapping[str, Sequence[Labelled]]], min_count: int) -> Vocabulary:
    """The words of all scenes' training texts: one vocabulary, so that scenes can share an encoder."""
    return WordVocabulary.learn((row.text for scene in scenes for row in scene["train"]), min_count=min_count)


def text_scene(
    name: str,
    rows: Mapping[str, Sequence[Labelled]],
    classes: tuple[str, ...],
    vocabulary: Vocabulary,
    text_format: TextFormat,
) -> Scene:
    """One classification of tidied texts; a long one is cut, in every split."""
    splits = {split: text_split(texts, vocabulary, text_format.max_length) for split, texts in rows.items()}
    fields = {"text": TOKENS}
    return Scene(name, "text", "classification", splits, fields, CLASS, classes, vocabulary, text_format=text_format)


def text_split(rows: Sequence[Labelled], vocabulary: Vocabulary, max_length: int | None) -> Split:
    inputs = padded(ids[:max_length] for ids in vocabulary.encode_all([row.text for row in rows]))  # (N, T)
    targets = torch.tensor([row.label for row in rows], dtype=torch.int64)
    return Split({"text": inputs}, targets, torch.ones(len(rows), dtype=torch.bool))


def cut_notices(
    name: str, scenes: Iterable[Mapping[str, Sequence[Labelled]]], max_length: int | None
) -> tuple[str, ...]:
    """How many texts of words lose their end."""
    if max_length is None:
        return ()
    lengths = [len(row.text.split()) for scene in scenes for rows in scene.values() for row in rows]
    count = sum(length > max_length for length in lengths)
    return (f"{name}: {count:,} of {len(lengths):,} texts are cut to their first {max_length} words.",) if count else ()


def text_datasets(
    name: str,
    rows: Mapping[str, Mapping[str, Sequence[Labelled]]],
    classes: Mapping[str, tuple[str, ...]],
    notices: Sequence[str],
    text_format: TextFormat,
    *,
    min_count: int,
    batch_size: int,
) -> list[Dataset]:
    """A data set for each scene, over one vocabulary; the first one carries the notices of all.

    Args:
        name: of the choice; a scene is called `<name>_<scene>`.
        rows: scene → split → texts.
        classes: of each scene.
        notices: on the texts, before those on what is cut.
        text_format: of the texts, which are tidied already.
        min_count: how often a word must occur in train to have an id of its own.
        batch_size: of each.
    """
    vocabulary = shared_words(rows.values(), min_count)
    notices = (*notices, *cut_notices(name, rows.values(), text_format.max_length))
    made = [text_scene(f"{name}_{scene}", rows[scene], classes[scene], vocabulary, text_format) for scene in rows]
    return [
        Dataset(scene.name, (scene,), batch_size, notices=() if number else notices)
        for number, scene in enumerate(made)
    ]
