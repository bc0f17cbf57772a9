"""Random numbers that are a function of their address: no state, so batches may be cut and ordered in any way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MASK = 2**64 - 1
STEP = 0x9E3779B97F4A7C15  # 2⁶⁴ divided by the golden ratio, odd


def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64: a bijection of 64-bit words in which each input bit moves every output bit.

    Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"; Stafford's constants (mix 13).
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def example_keys(*address: int, index: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A key for each example: key ← mixed((key XOR word) + STEP) over the words of the address, the index last.

    Args:
        address: whole numbers that all examples share, such as seed and epoch; counted modulo 2⁶⁴.
        index: (B,), the example's row in its data set.

    Shapes:
        returns (B,)
    """
    keys = np.zeros(1, np.uint64)
    for word in address:
        keys = mixed((keys ^ np.uint64(word & MASK)) + np.uint64(STEP))
    return mixed((keys ^ index.astype(np.uint64)) + np.uint64(STEP))  # (B,)


def uniform(keys: NDArray[np.uint64], draws: NDArray[np.int64]) -> NDArray[np.float64]:
    """u = mixed(key + (draw + 1) · STEP) / 2⁶⁴, cut to 53 bits: the draw-th number of splitmix64 seeded with the key.

    Args:
        keys: from `example_keys`.
        draws: which of the key's numbers; may be broadcast against the keys.

    Shapes:
        returns the broadcast shape of keys and draws, uniform in [0, 1)
    """
    words = mixed(keys + (draws.astype(np.uint64) + np.uint64(1)) * np.uint64(STEP))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
