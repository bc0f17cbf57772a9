from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import strategies as st
from torch import tensor

from iamm.pattern.global_window import GlobalWindowPattern


def in_window(radius, tokens):
    def near(pattern, own, place):
        return ((place - own).abs() <= radius) | (place < tokens) | (own < tokens), None

    return near


def test_agrees_with_a_mask_over_all_pairs(same_as_masked):
    same_as_masked(
        lambda radius, tokens: partial(GlobalWindowPattern, radius=radius, tokens=tokens),
        in_window,
        st.sampled_from([1, 2, 5, 17]),
        st.sampled_from([1, 1, 3, 3, 11, 200]),
    )


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query = case[1]
    allow = tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 0, 1, 1, 1], [1, 0, 0, 1, 1]]) == 1
    found = attention_with(6, pattern=partial(GlobalWindowPattern, radius=1, tokens=1))(query).context
    expected = naive_attention(lambda q, k: q @ k / math.sqrt(6), query, query, query, allow.expand(2, 5, 5))
    agree(found, expected, [query])


def test_by_hand(attention_with):
    """Places alike but for their values 0, 1, 2, …: in the middle the mean of 0, 1 and t − 1, t, t + 1; the first two
    see all 100, whose mean is 49.5; place 2 sees 0 … 3, none of them twice.
    """
    value = torch.arange(100, dtype=torch.float64).view(1, 100, 1)
    context, weights, _ = attention_with(1, pattern=partial(GlobalWindowPattern, radius=1, tokens=2))(
        torch.zeros_like(value), value=value, need_weights=True
    )
    middle = [(1 + 3 * place) / 5 for place in range(3, 99)]
    expected = tensor([49.5, 49.5, 1.5, *middle, (1 + 98 + 99) / 4], dtype=torch.float64)
    torch.testing.assert_close(context.flatten(), expected)
    torch.testing.assert_close(weights[0, 0, 2, :5], tensor([0.25, 0.25, 0.25, 0.25, 0], dtype=torch.float64))


def test_behind_a_past_by_hand(attention_with):
    """200 queries behind 60 places, all alike: the first, at 60, sees 0 and 1, then 59 … 61, with a fifth each."""
    attention = attention_with(1, pattern=partial(GlobalWindowPattern, radius=1, tokens=2))
    places = torch.zeros(1, 260, 1, dtype=torch.float64)
    state = attention(places[:, :60], state=attention.empty_state(places)).state
    weights = attention(places[:, 60:], state=state, need_weights=True).weights[0, 0]
    assert weights.shape == (200, 260)
    for row in (0, 7, 198):
        expected = torch.zeros(260, dtype=torch.float64)
        expected[[0, 1, 59 + row, 60 + row, 61 + row]] = 0.2
        torch.testing.assert_close(weights[row], expected)


@pytest.mark.parametrize(("causal", "most"), [(False, 3 * 64 + 5 + 5), (True, 2 * 64 + 5)])
def test_a_long_sequence_is_never_met_whole(scored_pairs, causal, most):
    """Blocks of 64 queries as in `window`, 5 global keys for each, and 5 queries that meet all."""
    pairs = scored_pairs(partial(GlobalWindowPattern, radius=64, tokens=5), length=2048, causal=causal)
    assert pairs <= most * 2048


def test_a_step_meets_the_window_and_the_first_places(scored_pairs):
    assert scored_pairs(partial(GlobalWindowPattern, radius=4, tokens=3), length=1, past=2000, causal=True) == 8


@pytest.mark.parametrize("options", [{"radius": 0}, {"tokens": 0}])
def test_refuses_what_is_no_number_of_places(options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"`{name}` must be a whole number at least 1.* Found 0\."):
        GlobalWindowPattern(3, 1, **options)
