"""Classifications and regressions of texts: words to ids, and rows of a target and a text to a scene."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import TOKENS, target_of
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import SubwordVocabulary, Vocabulary, WordVocabulary, padded
from iamm.names import scene_name


class Labelled(NamedTuple):
    """A text and its target: its class, counted from 0, or its number."""

    label: float
    text: str


def shared_vocabulary(
    scenes: Iterable[Mapping[str, Sequence[Labelled]]], min_count: int, subwords: int | None
) -> Vocabulary:
    """A vocabulary of all scenes' training texts, so that the scenes can share an encoder."""
    texts = (row.text for scene in scenes for row in scene["train"])
    if subwords is None:
        return WordVocabulary.learn(texts, min_count=min_count)
    return SubwordVocabulary.learn(texts, size=subwords)


def text_split(
    rows: Sequence[Labelled], ids: Iterable[Sequence[int]], max_length: int | None, dtype: torch.dtype
) -> Split:
    """A split of texts, each cut to its first `max_length` tokens."""
    inputs = padded(each[:max_length] for each in ids)  # (N, T)
    targets = torch.tensor([row.label for row in rows], dtype=dtype)
    return Split({"text": inputs}, targets, torch.ones(len(rows), dtype=torch.bool))


def cut_notices(name: str, lengths: Sequence[int], max_length: int | None, tokens: str) -> tuple[str, ...]:
    """A notice on the number of texts that are cut."""
    count = 0 if max_length is None else sum(length > max_length for length in lengths)
    notice = f"{name}: {count:,} of {len(lengths):,} texts are cut to their first {max_length} {tokens}."
    return (notice,) if count else ()


def text_datasets(
    name: str,
    rows: Mapping[str, Mapping[str, Sequence[Labelled]]],
    classes: Mapping[str, tuple[str, ...]],
    notices: Sequence[str],
    text_format: TextFormat,
    *,
    min_count: int,
    batch_size: int,
    subwords: int | None = None,
    known: Collection[str] | None = None,
) -> list[Dataset]:
    """A data set for each scene, over one vocabulary; the first one has the notices of all.

    Args:
        name: of the choice; a scene is called `<name>_<scene>`, and an only one ("") as the choice.
        rows: scene → split → texts.
        classes: of each scene; none of a scene of numbers.
        notices: on the texts, before those on what is cut.
        text_format: of the texts, which are normalised already.
        min_count: occurrences in train from which a word has its own id.
        batch_size: of each data set.
        subwords: pieces of the vocabulary; None = words.
        known: scenes whose training texts the vocabulary is learnt from; None = all.
    """
    learnt_from = (splits for scene, splits in rows.items() if known is None or scene in known)
    vocabulary = shared_vocabulary(learnt_from, min_count, subwords)
    lengths: list[int] = []
    built = []
    for scene, splits in rows.items():
        ids = {split: vocabulary.encode_all([row.text for row in texts]) for split, texts in splits.items()}
        lengths += [len(each) for part in ids.values() for each in part]
        task, field, dtype = target_of(classes[scene])
        parts = {split: text_split(texts, ids[split], text_format.max_length, dtype) for split, texts in splits.items()}
        arguments = (scene_name(name, scene), "text", task, parts, {"text": TOKENS}, field, classes[scene])
        built.append(Scene(*arguments, source=vocabulary, text_format=text_format))
    notices = (*notices, *cut_notices(name, lengths, text_format.max_length, "words" if subwords is None else "pieces"))
    return [
        Dataset(scene.name, (scene,), batch_size, notices=() if number else notices)
        for number, scene in enumerate(built)
    ]
