from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import strategies as st
from torch import tensor

from iamm.pattern.window import WindowPattern


def in_window(radius):
    return lambda pattern, own, place: ((place - own).abs() <= radius, None)


def test_agrees_with_a_mask_over_all_pairs(same_as_masked):
    same_as_masked(lambda radius: partial(WindowPattern, radius=radius), in_window, st.sampled_from([1, 2, 5, 17, 40]))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query = case[1]
    place = torch.arange(5)
    allow = ((place - place[:, None]).abs() <= 1).expand(2, 5, 5)
    found = attention_with(6, pattern=partial(WindowPattern, radius=1))(query).context
    agree(found, naive_attention(lambda q, k: q @ k / math.sqrt(6), query, query, query, allow), [query])


def test_by_hand(attention_with):
    """Places alike but for their values 0, 1, 2, …: every weight is 1/n for n places in the window of ± 2.

    At 0 the mean of 0, 1, 2; at 1 of 0 … 3; in the middle the place's own; at the end of T − 3 … T − 1.
    """
    value = torch.arange(100, dtype=torch.float64).view(1, 100, 1)
    context, weights, _ = attention_with(1, pattern=partial(WindowPattern, radius=2))(
        torch.zeros_like(value), value=value, need_weights=True
    )
    expected = tensor([1.0, 1.5, *range(2, 98), 97.5, 98.0], dtype=torch.float64)
    torch.testing.assert_close(context.flatten(), expected)
    torch.testing.assert_close(weights[0, 0, 40, 37:44], tensor([0, 0.2, 0.2, 0.2, 0.2, 0.2, 0], dtype=torch.float64))


def test_the_shortest_sequence_that_a_window_does_not_cover(attention_with):
    """Five places with a radius of 4 see each other; of six, the first does not see the last."""
    attention = attention_with(1, pattern=partial(WindowPattern, radius=4))
    five, six = (attention(torch.ones(1, length, 1).double(), need_weights=True).weights[0, 0] for length in (5, 6))
    assert (five > 0).all()
    assert (six == 0).nonzero().tolist() == [[0, 5], [5, 0]]


@pytest.mark.parametrize(("causal", "most"), [(False, 3.2), (True, 2.2)])
def test_a_long_sequence_is_never_met_whole(scored_pairs, causal, most):
    """Blocks of 64 queries with the 64 keys on either side: 3 keys a query and place of radius, 2 where causal."""
    pairs = scored_pairs(partial(WindowPattern, radius=64), length=2000, causal=causal)
    assert pairs < most * 2000 * 64


def test_a_step_meets_the_window_alone(scored_pairs):
    assert scored_pairs(partial(WindowPattern, radius=4), length=1, past=2000, causal=True) == 5


def test_a_window_is_at_least_one_wide():
    with pytest.raises(ValueError, match=r"`radius` must be a whole number at least 1.* Found 0\."):
        WindowPattern(3, 1, radius=0)
