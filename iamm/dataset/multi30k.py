"""Captions in four languages, to be translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, NamedTuple

import torch

from iamm.constraints import Count, Number, OneOf
from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import TOKENS
from iamm.dataset.files import read_lines
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
from iamm.errors import BadDataError

Language = Annotated[str, OneOf(("en", "de", "fr", "cs"))]
TestFile = Annotated[str, OneOf(("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco"))]
FOLDER = "multi30k/task1/raw"
Row = tuple[list[int], list[int]]
"""The ids of a source text and of its translation."""


class Pairs(NamedTuple):
    """N source texts and their translations."""

    source: list[str]
    target: list[str]


class Multi30kDataset(Dataset):
    """29,000 + 1,014 + 1,000 captions in two of four languages, from `data_dir/multi30k/task1/raw/`.

    Args:
        source, target: two of en, de, fr, cs.
        data_dir: the folder of all data sets.
        batch_size: pairs a step, at most.
        batch_tokens: target tokens a step, padding included; None = `batch_size` alone counts.
        lowercase: whether both sides are put into lower case.
        subwords: pieces of a vocabulary that both languages share; None = one vocabulary of words for each language,
            punctuation being a word.
        min_count: how often a word must occur in train to have an id of its own; with subwords of no effect.
        max_length: of a training pair's sides, in tokens; a pair with a longer one is left out. Never of a test pair.
        train: how many pairs, from the first one on; None = all.
        test: the test file, such as test_2017_mscoco.

    Raises:
        ValueError: a language or a number that cannot be.
        MissingDataError, BadDataError: a file that is not there, or not what it should be.

    Source: Elliott, Frank, Sima'an, Specia 2016; Elliott et al. 2017 (French); Barrault et al. 2018 (Czech).
    """

    provides = ({"name": "multi30k_{source}_{target}", "kind": "text", "task": "generation"},)
    different = (("source", "target"),)
    impossible: ClassVar = {
        "The test files of 2017 have no Czech": (
            {"source": ("cs",), "test": ("test_2017_flickr", "test_2017_mscoco")},
            {"target": ("cs",), "test": ("test_2017_flickr", "test_2017_mscoco")},
        )
    }

    def __init__(
        self,
        *,
        source: Language,
        target: Language,
        data_dir: str | None,
        batch_size: Count = 64,
        batch_tokens: Count | None = None,
        lowercase: bool = True,
        subwords: Annotated[int, Number(5, 1_000_000, whole=True)] | None = 6000,
        min_count: Count = 2,
        max_length: Count = 80,
        train: Annotated[int, Number(1, 29_000, whole=True)] | None = None,
        test: TestFile = "test_2016_flickr",
    ) -> None:
        name = f"multi30k_{source}_{target}"
        files = {"train": "train", "validation": "val", "test": test}
        texts = {split: read_pairs(data_dir, stem, source, target) for split, stem in files.items()}
        texts["train"] = Pairs(*(side[:train] for side in texts["train"]))
        text_format = TextFormat(lowercase, "apart" if subwords is None else "spaces")
        texts = {split: tidied(pairs, text_format) for split, pairs in texts.items()}
        words = learnt(texts["train"], subwords, min_count)
        ids = {split: encoded(pairs, words) for split, pairs in texts.items()}
        ids["train"], notices = without_long(ids["train"], max_length, name)
        splits = {split: pair_split(rows) for split, rows in ids.items()}
        made = (name, "text", "generation", splits, {"text": TOKENS}, TOKENS, (), *words)
        scene = Scene(*made, text_format)
        notices += (*sentence_notices(name, texts), *unknown_notices(name, splits))
        super().__init__(name, (scene,), batch_size, batch_tokens, notices)


def read_pairs(data_dir: str | None, stem: str, source: str, target: str) -> Pairs:
    """The aligned lines of two files."""
    names = [f"{FOLDER}/{stem}.{language}.gz" for language in (source, target)]
    pairs = Pairs(*(read_lines(data_dir, name) for name in names))
    counts = [len(side) for side in pairs]
    if counts[0] != counts[1]:
        raise BadDataError(
            f"{names[0]} and {names[1]} must have as many lines. Found {counts[0]:,} and {counts[1]:,}: "
            f"line {min(counts) + 1:,} has no partner."
        )
    return pairs


def tidied(pairs: Pairs, text_format: TextFormat) -> Pairs:
    """Both sides in one form."""
    return Pairs(*([text_format.tidied(text) for text in side] for side in pairs))


def learnt(train: Pairs, subwords: int | None, min_count: int) -> tuple[Vocabulary, Vocabulary]:
    """The vocabularies of source and target: one subword vocabulary for both, or one of words for each."""
    if subwords is None:
        source, target = (WordVocabulary.learn(side, min_count=min_count) for side in train)
        return source, target
    joint = SubwordVocabulary.learn((*train.source, *train.target), size=subwords)
    return joint, joint


def encoded(pairs: Pairs, vocabularies: tuple[Vocabulary, Vocabulary]) -> list[Row]:
    sides = (vocabulary.encode_all(side) for vocabulary, side in zip(vocabularies, pairs, strict=True))
    return list(zip(*sides, strict=True))


def without_long(rows: list[Row], max_length: int, name: str) -> tuple[list[Row], tuple[str, ...]]:
    """The pairs of at most `max_length` tokens on both sides, and a notice of the others."""
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
    """What one side alone shares between splits: captions are short, and some were written twice."""
    return [
        notice
        for side in Pairs._fields
        for notice in shared_notices(
            name, f"{side}s", {split: set(getattr(pairs, side)) for split, pairs in texts.items()}
        )
    ]


def unknown_notices(name: str, splits: Mapping[str, Split]) -> Sequence[str]:
    """How many test references hold what the vocabulary cannot say."""
    targets = splits["test"].targets
    count = int((targets == UNKNOWN).any(dim=1).sum())
    return [f"{name}: {count:,} of {len(targets):,} test targets have an unknown word or character."] if count else []
