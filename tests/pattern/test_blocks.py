from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from iamm.pattern.base import Sight
from iamm.pattern.blocks import Blocks, around


def column(*places: float) -> torch.Tensor:
    return tensor(places, dtype=torch.float32).view(1, 1, -1, 1)


def test_by_hand():
    """Five queries behind a past of one, in blocks of three; two keys ahead of each block and one behind it."""
    blocks = Blocks(length=5, past=1, size=3, before=2, after=1)
    queries, keys = column(11, 12, 13, 14, 15), column(10, 11, 12, 13, 14, 15)
    torch.testing.assert_close(blocks.queries(queries)[:, 0, :, 0], tensor([[11.0, 12, 13], [14, 15, 0]]))
    expected = tensor([[0.0, 10, 11, 12, 13, 14], [12, 13, 14, 15, 0, 0]])
    torch.testing.assert_close(blocks.keys(keys)[:, 0, :, 0], expected)
    torch.testing.assert_close(blocks.context(blocks.queries(queries)), queries)
    inner = blocks.sight(keys, Sight(1, key_allow=tensor([[True, False, True, True, True, True]]), causal=True))
    torch.testing.assert_close(inner.key_allow, (expected >= 10) & (expected != 11))
    assert (inner.start, inner.causal) == (2, True)


def test_weights_by_hand():
    """Blocks of two queries and the key ahead of them; a number for each pair."""
    blocks = Blocks(length=3, past=1, size=2, before=1)
    weights = torch.arange(1.0, 13).view(2, 1, 2, 3)
    expected = tensor([[1.0, 2, 3, 0], [4, 5, 6, 0], [0, 0, 7, 8]])
    torch.testing.assert_close(blocks.weights(weights)[0, 0], expected)


@given(st.integers(1, 30), st.integers(0, 9), st.integers(0, 9), st.integers(1, 9), st.integers(0, 9), st.booleans())
def test_every_query_meets_the_keys_near_to_it_once(length, past, before, size, after, masked):
    """The places of keys, cut and put together again: each pair in reach is there once, at its own place."""
    size, past = max(size, before, after), min(past, before)
    blocks = Blocks(length, past, size, before, after)
    keys = torch.arange(past + length).view(1, 1, -1, 1)
    key_allow = torch.arange(past + length)[None] % 3 != 1 if masked else None
    inner = blocks.sight(keys, Sight(past, key_allow=key_allow))
    pairs = blocks.queries(torch.ones(1, 1, length, 1)) * inner.key_allow[:, None, None, :]  # (n, 1, size, W)
    shown = pairs * (1 + blocks.keys(keys).transpose(2, 3))
    found = blocks.weights(shown)[0, 0]
    own, place = torch.arange(past, past + length)[:, None], torch.arange(past + length)
    first = (own - past) // size * size + past  # of the query's block
    near = (place >= first - before) & (place < first + size + after)
    near = near if key_allow is None else near & key_allow
    torch.testing.assert_close(found, (near * (1 + place)).float())


def test_examples_stay_apart():
    keys = torch.randn(3, 2, 40, 5)
    blocks = around(queries=40, past=0, radius=4, causal=False)
    alone = torch.cat([blocks.keys(keys[b, None]) for b in range(3)])
    torch.testing.assert_close(blocks.keys(keys), alone)


def test_no_example_at_all():
    blocks = around(queries=40, past=3, radius=4, causal=True)
    empty = blocks.queries(torch.zeros(0, 2, 40, 5))
    assert empty.shape == (0, 2, 32, 5)
    assert blocks.context(empty).shape == (0, 2, 40, 5)
    assert blocks.weights(torch.zeros(0, 2, 32, 36)).shape == (0, 2, 40, 43)


def test_few_queries_are_not_worth_cutting():
    assert not around(queries=40, past=0, radius=8, causal=False).cheaper()
    assert around(queries=400, past=0, radius=8, causal=False).cheaper()
    assert not around(queries=400, past=0, radius=8, causal=False).cheaper(also=200)
    assert not around(queries=1, past=8, radius=8, causal=True).cheaper()
