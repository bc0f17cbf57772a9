"""The form in which a vocabulary reads texts: letters, words, length."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iamm.dataset.vocabulary import Vocabulary, normalised, words_apart


def treebank(text: str) -> str:
    """Split a text into words as the Penn Treebank does, in lower case: `it's "fine"` reads "it 's `` fine ''"."""
    text = re.sub(r'(^|\s)"', r"\1 `` ", text.lower()).replace('"', " '' ")
    return " ".join(re.findall(PATTERNS["treebank"], text))


PATTERNS = {
    "spaces": r"\S+",
    "apart": r"\w+|[^\w\s]",
    "treebank": r"``|''|\w+(?=n't\b)|n't\b|'\w+|\w+(?:-\w+)*|\.\.\.|[^\w\s]",
}
"""Patterns of a word; that of the treebank needs `` and '' in place of double quotes."""
WORDS: Mapping[str, Callable[[str], str]] = {"spaces": str, "apart": words_apart, "treebank": treebank}
"""Functions that separate words: at spaces only, also at each punctuation mark, or as in a treebank."""


@dataclass(frozen=True)
class TextFormat:
    """The form of a scene's texts, in its data files and as inputs of its trained model.

    Args:
        lowercase: whether texts are put into lower case.
        words: how words are separated, a key of `WORDS`.
        max_length: number of ids at which a text is cut; None: never.

    Raises:
        ValueError: `words` is no key of `WORDS`.
    """

    lowercase: bool = False
    words: str = "spaces"
    max_length: int | None = None

    def __post_init__(self) -> None:
        if self.words not in WORDS:
            raise ValueError(f"`words` must be one of {', '.join(WORDS)}. Found {self.words}.")

    def tidied(self, text: str) -> str:
        """Give a text with composed characters, single spaces, and words separated as in training."""
        return WORDS[self.words](normalised(text, lowercase=self.lowercase))

    def ids(self, text: str, vocabulary: Vocabulary) -> list[int]:
        """Encode a tidied text, cut at `max_length`."""
        return vocabulary.encode(text)[: self.max_length]
