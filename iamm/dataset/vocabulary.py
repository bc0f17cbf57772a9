"""Vocabularies, which map texts to ids. In each, id 0 is padding, 1 begins a text, 2 ends it, 3 is unknown."""

from __future__ import annotations

import base64
import io
import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

PAD, BOS, EOS, UNKNOWN = 0, 1, 2, 3
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
LONGEST_TEXT = 1 << 20  # bytes: no text is left out, as sentencepiece does with those of more than 4,192
UNKNOWN_SURFACE = "⁇"  # what UNKNOWN is decoded to: one token for BLEU, and in no text


class Vocabulary(ABC):
    """A two-way map between a text and its ids, learnt on the training split only."""

    @abstractmethod
    def __len__(self) -> int:
        """V, the number of ids, the four special ones included."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Ids of the text, without BOS and EOS."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text; UNKNOWN reads ⁇, the other special ids are dropped."""

    @abstractmethod
    def piece(self, index: int) -> str:
        """The label of one id in a figure."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """What `vocabulary_of` makes it anew from."""

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.encode(text) for text in texts]


class WordVocabulary(Vocabulary):
    """One id for each word; words are what whitespace separates.

    Args:
        words: in the order of their ids, from 4 on.
        known: those that are encoded; the others are UNKNOWN. None: all.
    """

    def __init__(self, words: Sequence[str], known: Collection[str] | None = None) -> None:
        self.pieces, self.known = (*SPECIAL, *words), known
        numbered = enumerate(words, start=len(SPECIAL))
        self.index = {word: index for index, word in numbered if known is None or word in known}

    @classmethod
    def learn(cls, texts: Iterable[str], *, min_count: int = 1) -> WordVocabulary:
        """The words that occur `min_count` times or more: the frequent first, equally frequent ones by the alphabet."""
        counts = Counter(word for text in texts for word in text.split())
        frequent = (word for word, count in counts.items() if count >= min_count)
        return cls(sorted(frequent, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        return [self.index.get(word, UNKNOWN) for word in text.split()]

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(UNKNOWN_SURFACE if id == UNKNOWN else self.pieces[id] for id in ids if id > EOS)

    def piece(self, index: int) -> str:
        return self.pieces[index]

    def as_json(self) -> dict[str, Any]:
        known = {} if self.known is None else {"known": sorted(self.known)}
        return {"words": list(self.pieces[len(SPECIAL) :]), **known}


class SubwordVocabulary(Vocabulary):
    """Byte-pair encoding: frequent words are one piece, rare ones several; `▁` in a piece stands for a space.

    Args:
        model: a sentencepiece model, serialised.

    Source: Sennrich, Haddow, Birch 2016; Kudo and Richardson 2018 (sentencepiece). No byte fallback: a character that
    the training texts lack is UNKNOWN.
    """

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self.processor = SentencePieceProcessor(model_proto=model)

    @classmethod
    def learn(cls, texts: Iterable[str], *, size: int) -> SubwordVocabulary:
        """At most `size` pieces (fewer where the texts are too few to need them), the special ones included.

        Raises:
            ValueError: `size` has no room for each character.
        """
        from sentencepiece import SentencePieceTrainer

        texts = list(texts)
        least = len(SPECIAL) + len(set(chain("▁", *texts)) - {" "})
        if size < least:
            raise ValueError(f"`subwords` must hold every character: {least} pieces at least. Found {size}.")
        model = io.BytesIO()
        SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type="bpe",
            vocab_size=size,
            max_sentence_length=LONGEST_TEXT,
            hard_vocab_limit=False,
            character_coverage=1.0,
            normalization_rule_name="identity",
            pad_id=PAD,
            bos_id=BOS,
            eos_id=EOS,
            unk_id=UNKNOWN,
            unk_surface=UNKNOWN_SURFACE,
            num_threads=1,
            minloglevel=2,
        )
        return cls(model.getvalue())

    def __len__(self) -> int:
        return len(self.processor)

    def encode(self, text: str) -> list[int]:
        return self.processor.encode(text)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        return self.processor.encode(list(texts), num_threads=1)

    def decode(self, ids: Sequence[int]) -> str:
        return self.processor.decode([int(id) for id in ids if id > EOS])

    def piece(self, index: int) -> str:
        return self.processor.id_to_piece(int(index))

    def as_json(self) -> dict[str, Any]:
        return {"sentencepiece": base64.b64encode(self.processor.serialized_model_proto()).decode()}


def vocabulary_of(content: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary that `as_json` gave."""
    if "words" in content:
        known = content.get("known")
        return WordVocabulary(content["words"], None if known is None else frozenset(known))
    return SubwordVocabulary(base64.b64decode(content["sentencepiece"]))


def normalised(text: str, *, lowercase: bool) -> str:
    """Composed characters (NFC), single spaces, and lower case where it is wanted; `▁` is sentencepiece's own sign."""
    text = unicodedata.normalize("NFC", text.lower() if lowercase else text)
    return " ".join(text.replace("▁", "_").split())


def words_apart(text: str) -> str:
    """Spaces between words and punctuation, for a vocabulary of words."""
    return " ".join(re.findall(r"\w+|[^\w\s]", text))


def padded(rows: Iterable[Sequence[int]]) -> Tensor:
    """Rows of ids as one tensor, padded with 0.  # (N, T)"""
    rows = list(rows)
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    ids = np.full((len(rows), lengths.max(initial=0)), PAD, dtype=np.int64)  # (N, T)
    ids[np.arange(ids.shape[1]) < lengths[:, None]] = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    return torch.from_numpy(ids)


def framed(rows: Iterable[Sequence[int]]) -> Tensor:
    """Rows of ids, each between BOS and EOS, padded with 0.  # (N, T)"""
    return padded([BOS, *row, EOS] for row in rows)
