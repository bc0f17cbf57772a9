from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from iamm.augment.randomness import example_keys, mixed, uniform

ROWS = np.arange(20_011)


def test_first_numbers_of_splitmix64() -> None:
    """The published sequences of splitmix64 for the seeds 0 and 1234567, before they are cut to 53 bits."""
    published = {
        0: (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F),
        1234567: (6457827717110365317, 3203168211198807973, 9817491932198370423),
    }
    for seed, words in published.items():
        found = uniform(np.array([seed], np.uint64), np.arange(3))
        assert found.tolist() == [(word >> 11) / 2**53 for word in words]


def test_golden_numbers() -> None:
    """The numbers of three examples; a change here changes every augmented run."""
    keys = example_keys(7, 11, 13, index=np.array([0, 1, 2]))
    assert keys.tolist() == [0xCD75C2400A50DC04, 0xCDBABD4CF59BE08B, 0x6EA2566592F496C0]
    golden = [
        [0.17439039086648533, 0.5607276158235774, 0.5919410032551887],
        [0.13221582036849733, 0.4790525341562226, 0.6166502951306763],
        [0.5127550469157096, 0.9205968502239218, 0.2956900674434202],
    ]
    assert uniform(keys[:, None], np.arange(3)).tolist() == golden


def test_same_as_whole_numbers_of_python(naive_draw) -> None:
    keys = example_keys(-3, int.from_bytes(b"text", "big"), 2**63 + 5, index=np.array([4, 2**40, 0]))
    expected = [[naive_draw(-3, "text", 2**63 + 5, row, draw) for draw in (0, 1, 997)] for row in (4, 2**40, 0)]
    assert uniform(keys[:, None], np.array([0, 1, 997])).tolist() == expected


@pytest.mark.parametrize("axis", ["index", "draw", "epoch", "seed"])
def test_uniform_along_each_axis(axis: str) -> None:
    """χ² over 100 cells, 99 degrees of freedom: within 99 ± 4.5 · √198, on each axis that may be walked along."""
    numbers = walked(axis)
    assert numbers.min() >= 0.0
    assert numbers.max() < 1.0
    counts = np.bincount((numbers * 100).astype(int), minlength=100)
    expected = len(ROWS) / 100
    assert abs(((counts - expected) ** 2 / expected).sum() - 99) < 4.5 * np.sqrt(198)


@pytest.mark.parametrize("axis", ["index", "draw", "epoch", "seed"])
@pytest.mark.parametrize("distance", [1, 2, 64])
def test_neighbours_are_independent(axis: str, distance: int) -> None:
    """χ² of the pairs over 10 × 10 cells, and their correlation below 4.5 / √N."""
    numbers = walked(axis)
    one, other = numbers[:-distance], numbers[distance:]
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(len(one))
    counts = np.bincount((one * 10).astype(int) * 10 + (other * 10).astype(int), minlength=100)
    expected = len(one) / 100
    assert abs(((counts - expected) ** 2 / expected).sum() - 99) < 4.5 * np.sqrt(198)


def test_every_address_has_its_own_numbers() -> None:
    """Seed 1 in epoch 2 is not seed 2 in epoch 1, and no key comes twice in 5 · 7 · 1009 addresses."""
    keys = np.concatenate([example_keys(s, e, index=np.arange(1009)) for s in range(5) for e in range(7)])
    assert len(np.unique(keys)) == 5 * 7 * 1009


def test_one_bit_moves_half_of_the_bits() -> None:
    words = np.arange(1, 1010, dtype=np.uint64)
    for bit in range(64):
        moved = mixed(words) ^ mixed(words ^ np.uint64(1 << bit))
        share = np.unpackbits(moved.view(np.uint8)).mean()
        assert abs(share - 0.5) < 0.02


@cache
def walked(axis: str) -> np.ndarray:
    """One number at each place along one axis, the other three held."""
    if axis == "index":
        return uniform(example_keys(3, 5, index=ROWS), np.array([7]))
    if axis == "draw":
        return uniform(example_keys(3, 5, index=np.array([11])), ROWS)
    at = (lambda place: (3, place)) if axis == "epoch" else (lambda place: (place, 5))
    return np.concatenate(
        [uniform(example_keys(*at(int(place)), index=np.array([11])), np.array([7])) for place in ROWS]
    )
