from __future__ import annotations

import hashlib
from itertools import combinations

import numpy as np
import pytest
import torch

from iamm.engine.seeding import derived_seed, make_deterministic


@pytest.fixture(autouse=True)
def as_found():
    deterministic, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = benchmark


def test_the_first_63_bits_of_sha256():
    digest = hashlib.sha256(b"7\x1forder\x1fdigits\x1f3").hexdigest()
    assert derived_seed(7, "order", "digits", 3) == int(digest[:16], 16) // 2


def test_every_word_counts_and_its_place():
    addresses = [(0,), (1,), (0, "order"), (0, "order", "a", 1), (0, "order", "a1"), (0, "order", 1, "a"), (0, "Order")]
    seeds = [derived_seed(*address) for address in addresses]
    assert all(a != b for a, b in combinations(seeds, 2))


def test_both_libraries_take_it():
    seeds = [derived_seed(seed, "x") for seed in range(97)]
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert max(seeds) >= 2**62
    torch.manual_seed(max(seeds))
    np.random.default_rng(max(seeds))


def test_make_deterministic_fixes_the_global_stream_and_the_threads():
    torch.backends.cudnn.benchmark = True
    make_deterministic(11, 1)
    first = torch.rand(3)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    make_deterministic(11, 1)
    torch.testing.assert_close(torch.rand(3), first, rtol=0, atol=0)
    make_deterministic(12, 1)
    assert not torch.equal(torch.rand(3), first)
