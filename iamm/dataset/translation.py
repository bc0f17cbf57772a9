"""Scenes of translation, from pairs of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from iamm.dataset.base import Scene, Split
from iamm.dataset.fields import TOKENS
from iamm.dataset.overlap import shared_notices
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import (
    UNKNOWN,
    SubwordVocabulary,
    Vocabulary,
    WordVocabulary,
    framed,
    padded,
)

Row = tuple[list[int], list[int]]
"""The ids of a source text and of its translation."""


class Pairs(NamedTuple):
    """N source texts and their translations."""

    source: list[str]
    target: list[str]


def translation_scene(
    name: str,
    texts: Mapping[str, Pairs],
    *,
    lowercase: bool,
    subwords: int | None,
    min_count: int,
    max_length: int,
) -> tuple[Scene, list[str]]:
    """Make the scene of the pairs of each split; return it with notices.

    Args:
        name: the name of the scene.
        texts: split → pairs.
        lowercase: whether both sides are put into lower case.
        subwords: pieces of a vocabulary that both sides share; None = one vocabulary of words for each side,
            punctuation being a word.
        min_count: occurrences in train from which a word has an id; unused with subwords.
        max_length: of both sides of a training pair, in tokens; longer pairs are left out.

    Raises:
        ValueError: no training pair is short enough, or `subwords` too few for the characters.
    """
    text_format = TextFormat(lowercase, "apart" if subwords is None else "spaces")
    references = {split: pairs.target for split, pairs in texts.items() if split != "train"}
    texts = {split: tidied(pairs, text_format) for split, pairs in texts.items()}
    words = learnt(texts["train"], subwords, min_count)
    ids = {split: encoded(pairs, words) for split, pairs in texts.items()}
    ids["train"], notices = without_long(ids["train"], max_length, name)
    splits = {split: pair_split(rows) for split, rows in ids.items()}
    scene = Scene(name, "text", "generation", splits, {"text": TOKENS}, TOKENS, (), *words, text_format, references)
    return scene, [*notices, *sentence_notices(name, texts), *unknown_notices(name, splits)]


def tidied(pairs: Pairs, text_format: TextFormat) -> Pairs:
    """Give both sides the form of the scene's texts."""
    return Pairs(*([text_format.tidied(text) for text in side] for side in pairs))


def learnt(train: Pairs, subwords: int | None, min_count: int) -> tuple[Vocabulary, Vocabulary]:
    """Learn the vocabularies of source and target: one subword vocabulary for both, or one of words for each."""
    if subwords is None:
        source, target = (WordVocabulary.learn(side, min_count=min_count) for side in train)
        return source, target
    joint = SubwordVocabulary.learn((*train.source, *train.target), size=subwords)
    return joint, joint


def encoded(pairs: Pairs, vocabularies: tuple[Vocabulary, Vocabulary]) -> list[Row]:
    sides = (vocabulary.encode_all(side) for vocabulary, side in zip(vocabularies, pairs, strict=True))
    return list(zip(*sides, strict=True))


def without_long(rows: list[Row], max_length: int, name: str) -> tuple[list[Row], tuple[str, ...]]:
    """Select the pairs of at most `max_length` tokens on both sides; return them with a notice on the others."""
    short = [row for row in rows if max(map(len, row)) <= max_length]
    if not short:
        least = min(max(map(len, row)) for row in rows)
        raise ValueError(f"`max_length` must leave a train pair: {least} at least. Found {max_length}.")
    left_out = f"{len(rows) - len(short):,} of {len(rows):,} train pairs"
    notice = f"{name}: {left_out} are left out: longer than {max_length} tokens."
    return short, (notice,) if len(short) < len(rows) else ()


def pair_split(rows: list[Row]) -> Split:
    source, target = zip(*rows, strict=True)
    return Split({"text": padded(source)}, framed(target), torch.ones(len(rows), dtype=torch.bool))


def sentence_notices(name: str, texts: Mapping[str, Pairs]) -> list[str]:
    """Give notices on texts of one side that several splits share; short captions may occur twice."""
    return [
        notice
        for side in Pairs._fields
        for notice in shared_notices(
            name, f"{side}s", {split: set(getattr(pairs, side)) for split, pairs in texts.items()}
        )
    ]


def unknown_notices(name: str, splits: Mapping[str, Split]) -> Sequence[str]:
    """Give a notice on the number of test targets with an unknown word or character."""
    targets = splits["test"].targets
    count = int((targets == UNKNOWN).any(dim=1).sum())
    return [f"{name}: {count:,} of {len(targets):,} test targets have an unknown word or character."] if count else []
