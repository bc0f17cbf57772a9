"""How a text becomes what a vocabulary reads: letters, words, length."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from iamm.dataset.vocabulary import Vocabulary, normalised, words_apart


def treebank(text: str) -> str:
    """Words as the Penn Treebank has them, in lower case: `it's "fine"` reads "it 's `` fine ''"."""
    text = re.sub(r'(^|\s)"', r"\1 `` ", text.lower()).replace('"', " '' ")
    return " ".join(re.findall(PATTERNS["treebank"], text))


PATTERNS = {
    "spaces": r"\S+",
    "apart": r"\w+|[^\w\s]",
    "treebank": r"``|''|\w+(?=n't\b)|n't\b|'\w+|\w+(?:-\w+)*|\.\.\.|[^\w\s]",
}
"""What a word is; of a treebank, with `` and '' in place of double quotes."""
WORDS: Mapping[str, Callable[[str], str]] = {"spaces": str, "apart": words_apart, "treebank": treebank}
"""What parts the words of a text: the spaces that are there; each sign by itself, too; or as a treebank has them."""


@dataclass(frozen=True)
class TextFormat:
    """The form of a scene's texts: those of its data files, and those that its trained model is given.

    Args:
        lowercase: whether texts are put into lower case.
        words: what parts the words, a key of `WORDS`.
        max_length: ids behind which a text is cut; None: never.

    Raises:
        ValueError: an unknown way to part the words.
    """

    lowercase: bool = False
    words: str = "spaces"
    max_length: int | None = None

    def __post_init__(self) -> None:
        if self.words not in WORDS:
            raise ValueError(f"`words` must be one of {', '.join(WORDS)}. Found {self.words}.")

    def tidied(self, text: str) -> str:
        """Composed characters, single spaces, and words as they are in training."""
        return WORDS[self.words](normalised(text, lowercase=self.lowercase))

    def ids(self, text: str, vocabulary: Vocabulary) -> list[int]:
        """Of a tidied text, cut."""
        return vocabulary.encode(text)[: self.max_length]
