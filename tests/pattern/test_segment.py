from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import strategies as st
from torch import tensor

from iamm.pattern.segment import SegmentPattern


def in_piece(length):
    return lambda pattern, own, place: (place // length == own // length, None)


def test_agrees_with_a_mask_over_all_pairs(same_as_masked):
    same_as_masked(lambda length: partial(SegmentPattern, length=length), in_piece, st.sampled_from([1, 2, 7, 16, 50]))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query = case[1]
    allow = tensor([[1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]) == 1
    found = attention_with(6, pattern=partial(SegmentPattern, length=2))(query).context
    expected = naive_attention(lambda q, k: q @ k / math.sqrt(6), query, query, query, allow.expand(2, 5, 5))
    agree(found, expected, [query])


def test_by_hand(attention_with):
    """Places alike but for their values 0 … 10, pieces of four: means 1.5, 5.5 and, of the three that are left, 9."""
    value = torch.arange(11, dtype=torch.float64).view(1, 11, 1)
    context, weights, _ = attention_with(1, pattern=partial(SegmentPattern, length=4))(
        torch.zeros_like(value), value=value, need_weights=True
    )
    torch.testing.assert_close(context.flatten(), tensor([1.5] * 4 + [5.5] * 4 + [9.0] * 3, dtype=torch.float64))
    torch.testing.assert_close(weights[0, 0, 9], tensor([0.0] * 8 + [1 / 3] * 3, dtype=torch.float64))


def test_the_shortest_sequence_that_is_cut(attention_with):
    attention = attention_with(1, pattern=partial(SegmentPattern, length=4))
    four, five = (attention(torch.ones(1, length, 1).double(), need_weights=True).weights[0, 0] for length in (4, 5))
    assert (four > 0).all()
    assert (five[4] == 0).tolist() == (five[:, 4] == 0).tolist() == [True] * 4 + [False]


@pytest.mark.parametrize("causal", [False, True])
def test_a_long_sequence_is_met_piece_by_piece(scored_pairs, causal):
    assert scored_pairs(partial(SegmentPattern, length=50), length=2000, causal=causal) == 2000 * 50


def test_a_step_meets_its_piece_alone(scored_pairs):
    assert scored_pairs(partial(SegmentPattern, length=50), length=1, past=1907, causal=True) == 8


def test_a_piece_has_at_least_one_place():
    with pytest.raises(ValueError, match=r"`length` must be a whole number at least 1.* Found 0\."):
        SegmentPattern(3, 1, length=0)
