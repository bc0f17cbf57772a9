"""The random numbers once more, in whole Python numbers and one at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

WORD = 2**64


def naive_mixed(word: int) -> int:
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % WORD
    return word ^ (word >> 31)


@pytest.fixture
def naive_draw() -> Callable[[int, str, int, int, int], float]:
    """u(seed, kind, epoch, index, draw)."""

    def draw(seed: int, kind: str, epoch: int, index: int, number: int) -> float:
        key = 0
        for word in (seed, int.from_bytes(kind.encode(), "big"), epoch, index):
            key = naive_mixed(((key ^ (word % WORD)) + 0x9E3779B97F4A7C15) % WORD)
        return (naive_mixed((key + (number + 1) * 0x9E3779B97F4A7C15) % WORD) >> 11) / 2**53

    return draw
