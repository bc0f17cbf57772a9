from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from iamm.attention.composed import ComposedAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.normaliser.sum import SumNormaliser
from iamm.pattern.low_rank import LowRankPattern
from iamm.score.additive import AdditiveScore
from iamm.score.kernel import KernelScore
from iamm.score.scaled_dot_product import ScaledDotProductScore


def test_by_hand(attention_with):
    """Two slots over three places: E mixes keys to ln 3 and 0, F values to 4 + 2 = 6 and −8; q = 1.

    Weights of the slots 3/4 and 1/4, context 4.5 − 2; over the places 3/4·(1, 1, 0) + 1/4·(0, 0, −1).
    """
    attention = attention_with(1, pattern=partial(LowRankPattern, rank=2, length=5))
    with torch.no_grad():
        attention.pattern.key_slots[:, :3] = tensor([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
        attention.pattern.value_slots[:, :3] = tensor([[1.0, 1.0, 0.0], [0.0, 0.0, -1.0]])
    query, key, value = (
        tensor(x, dtype=torch.float64).view(1, -1, 1) for x in ([1], [0, 2 * math.log(3), 7], [4, 2, 8])
    )
    context, weights, _ = attention(query, key, value, need_weights=True)
    torch.testing.assert_close(context, tensor([[[2.5]]], dtype=torch.float64))
    torch.testing.assert_close(weights, tensor([[[[0.75, 0.75, -0.25]]]], dtype=torch.float64))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    """Attention over the slots, each a sum over the real places of its example, one by one."""
    query, key, value, _ = case
    attention = attention_with(6, pattern=partial(LowRankPattern, rank=7, length=11))
    key_allow = tensor([[True, False, True, True, False], [False, True, False, False, False]])

    def slots(mixing, places):
        each = [
            [sum(mixing[s, t] * places[b, t] for t in range(5) if key_allow[b, t]) for s in range(7)] for b in range(2)
        ]
        return torch.stack([torch.stack(row) for row in each])

    keys, values = slots(attention.pattern.key_slots, key), slots(attention.pattern.value_slots, value)
    everything = torch.ones(2, 3, 7, dtype=torch.bool)
    expected = naive_attention(lambda q, k: q @ k / math.sqrt(6), query, keys, values, everything)
    found = attention(query, key, value, key_allow=key_allow).context
    agree(found, expected, [query, key, value, *attention.parameters()])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.sampled_from([ScaledDotProductScore, AdditiveScore, KernelScore]),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 100),
)
def test_padding_counts_nowhere(score, queries, keys, padded, seed):
    """Places in the middle that are padding are as places that carry nothing: their columns of E and F do not count."""
    torch.manual_seed(seed)
    make = partial(LowRankPattern, rank=5, length=40)
    attention = ComposedAttention(6, heads=2, score=score, pattern=make, normaliser=SoftmaxNormaliser).double()
    query, key = (torch.randn(2, n, 6, dtype=torch.float64) for n in (queries, keys))
    key_allow = torch.rand(2, keys) < 0.5 if padded else torch.ones(2, keys, dtype=torch.bool)
    context, weights, _ = attention(query, key, key_allow=key_allow, need_weights=True)
    assert (weights.masked_select(~key_allow[:, None, None]) == 0).all()
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(key)), context)
    columns = attention.pattern.key_slots.detach().clone(), attention.pattern.value_slots.detach().clone()
    for b in range(2):
        real = key_allow[b]
        for slots, whole in zip(attention.pattern.parameters(), columns, strict=True):
            slots.data[:, : real.sum()] = whole[:, :keys][:, real]
        alone = (
            attention(query[b, None], key[b, None, real]).context if real.any() else torch.zeros(1, queries, 6).double()
        )
        torch.testing.assert_close(context[b, None], alone)


def test_cost_does_not_grow_with_pairs(scored_pairs):
    assert scored_pairs(partial(LowRankPattern, rank=7, length=2000), length=2000) == 2000 * 7


def test_refuses_an_input_that_is_too_long(attention_with):
    attention = attention_with(6, pattern=partial(LowRankPattern, length=4))
    words = r"`length` of pattern=low_rank must be at least the number of places\. Found length=4, 5 places: raise it\."
    with pytest.raises(ValueError, match=words):
        attention(torch.zeros(1, 5, 6, dtype=torch.float64))


def test_refuses_what_its_slots_cannot_hide(attention_with):
    attention, places = attention_with(6, pattern=LowRankPattern), torch.zeros(1, 5, 6, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"This pattern cannot be causal: its slots mix all places, later ones too"):
        attention(places, causal=True)
    with pytest.raises(ValueError, match=r"This pattern takes neither `allow` nor `bias`: its slots mix all places"):
        attention(places, bias=torch.zeros(5, 5))


def test_refuses_a_normaliser_of_positive_scores(attention_with):
    with pytest.raises(ValueError, match=r"This `pattern` lowers scores below zero\. Found SumNormaliser"):
        attention_with(6, score=KernelScore, normaliser=SumNormaliser, pattern=LowRankPattern)


@pytest.mark.parametrize("options", [{"rank": 0}, {"length": 0}])
def test_refuses_what_is_no_number_of_places(options):
    (name,) = options
    with pytest.raises(ValueError, match=rf"`{name}` must be a whole number at least 1.* Found 0\."):
        LowRankPattern(3, 1, **options)
