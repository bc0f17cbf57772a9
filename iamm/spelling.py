"""Which known word was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FAR = 3
"""A word with more than a mistake in so many letters is another word."""
ALIKE = 0.65
"""Share of common letters from which on words are alike all the same, as `multi` and `multi_head` are."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The word that is the fewest slips away, the first of several, else one with most letters in common; or None."""
    words = list(known)
    ranked = [(slips(word, other), place) for place, other in enumerate(words) if near_in_length(word, other)]
    count, place = min(ranked, default=(allowed(word) + 1, 0))
    if count <= allowed(word):
        return words[place]
    return next(iter(difflib.get_close_matches(word, words, n=1, cutoff=ALIKE)), None)


def near_in_length(word: str, other: str) -> bool:
    return abs(len(other) - len(word)) <= allowed(word)


def allowed(word: str) -> int:
    return max(1, len(word) // FAR)


def slips(a: str, b: str) -> int:
    """How many letters must be put in, left out, exchanged, or swapped with their neighbour, to get from one to the
    other: the distance of Damerau and Levenshtein, no letter being touched twice.

    d(i, j) = min(d(i−1, j) + 1, d(i, j−1) + 1, d(i−1, j−1) + [aᵢ ≠ bⱼ], d(i−2, j−2) + 1 where the last two are swapped)
    """
    before, last = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, letter in enumerate(a, start=1):
        row = [i]
        for j, other in enumerate(b, start=1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            swapped = i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other
            row.append(min(best, before[j - 2] + 1) if swapped else best)
        before, last = last, row
    return last[-1]
