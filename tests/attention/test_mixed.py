from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.cross import CrossAttention
from iamm.attention.mixed import MixedAttention
from iamm.attention.multi_head import MultiHeadAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore

PARTS = {"score": ScaledDotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser}
CROSS = partial(CrossAttention, **PARTS)
REAL = tensor([[True] * 5, [True, True, False, True, False]])
ALL = torch.ones(2, 5, 5, dtype=torch.bool)


@pytest.fixture
def attention():
    torch.manual_seed(3)
    attention = MixedAttention(6, self_attention=CROSS, cross_attention=CROSS).double()
    torch.nn.init.constant_(attention.gamma, 0.7)
    return attention


@pytest.fixture
def reader(naive_attention):
    """A(q, k, v, allow) as a loop, with the projections of an inner attention."""

    def make(inner):
        w_q, w_k, w_v = inner.w_q.weight, inner.w_k.weight, inner.w_v.weight
        return lambda query, key, value, allow: naive_attention(
            lambda q, k: w_q @ q @ (w_k @ k) / math.sqrt(6), query, key, value @ w_v.T, allow
        )

    return make


def mix(attention, places, gathered):
    share = 1 / (1 + torch.exp(-attention.gamma))
    return (1 - share) * places + share * gathered


@pytest.mark.parametrize(("gamma", "context"), [(0.0, 4.5), (math.log(3), 5.25)])
def test_by_hand(gamma, context):
    """D = 1, W_k = 0 makes all scores equal. Of 0 and 6 each gathers 2·3 = 6 (W_v = 2), the query reads the mean.

    g = 1/2: the memory becomes 3 and 6, mean 4.5. g = 3/4: 4.5 and 6, mean 5.25. Without a key `own` alone reads 6.
    """
    attention = MixedAttention(1, self_attention=CROSS, cross_attention=CROSS)
    assert attention.gamma == 0
    torch.nn.init.constant_(attention.gamma, gamma)
    for inner, number in ((attention.self_attention, 2.0), (attention.cross_attention, 1.0)):
        torch.nn.init.zeros_(inner.w_k.weight)
        torch.nn.init.constant_(inner.w_v.weight, number)
    memory = tensor([[[0.0], [6.0]]])
    torch.testing.assert_close(attention(tensor([[[7.0]]]), memory).context, tensor([[[context]]]))
    torch.testing.assert_close(attention(memory).context, tensor([[[6.0], [6.0]]]))


@pytest.mark.parametrize("remembered", [False, True])
def test_a_memory_agrees_with_a_loop(case, agree, attention, reader, remembered):
    query, key, _, allow = case
    gathered = reader(attention.self_attention)(key, key, key, ALL & REAL[:, None])
    memory = mix(attention, key, gathered)
    expected = reader(attention.cross_attention)(query, memory, memory, allow & REAL[:, None])
    leaves = [query, key, *attention.parameters()]
    memory = {"state": attention.remember(key, key_allow=REAL)} if remembered else {"key": key, "key_allow": REAL}
    agree(attention(query, allow=allow[:, None], **memory).context, expected, leaves)


def test_a_separate_value_is_gathered_by_the_same_weights(case, agree, attention, reader):
    query, key, value, allow = case
    self_attention = reader(attention.self_attention)
    memory, carried = (mix(attention, places, self_attention(key, key, places, ALL)) for places in (key, value))
    expected = reader(attention.cross_attention)(query, memory, carried, allow)
    leaves = [query, key, value, *attention.parameters()]
    agree(attention(query, key, value, allow=allow[:, None]).context, expected, leaves)


def test_without_a_key_it_is_self_attention(case, agree, attention, reader):
    _, key, value, _ = case
    expected = reader(attention.self_attention)(key, key, value, ALL.tril())
    leaves = [key, value, *attention.self_attention.parameters()]
    agree(attention(key, value=value, causal=True).context, expected, leaves)


def test_weights_are_those_of_the_reading(case, attention):
    query, key, _, _ = case
    context, weights, _ = attention(query, key, key_allow=REAL, need_weights=True)
    state = attention.remember(key, key_allow=REAL)
    torch.testing.assert_close(attention.cross_attention.merge(weights @ state.value), context)
    context, weights, _ = attention(query, need_weights=True)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(query)), context)


def test_several_heads_with_output_projections(case):
    query, key, value, _ = case
    heads = partial(MultiHeadAttention, heads=3, **PARTS)
    attention = MixedAttention(6, self_attention=heads, cross_attention=heads).double()
    context, weights, _ = attention(query, key, value, need_weights=True)
    assert weights.shape == (2, 3, 3, 5)
    torch.testing.assert_close(attention.cross_attention.merge(weights @ attention.remember(key, value).value), context)


def test_a_padded_nan_reaches_no_gradient(case, attention):
    query, key, value, _ = case
    found = []
    for garbage in (0.0, math.nan):
        spoilt = [part.detach().masked_fill(~REAL[..., None], garbage).requires_grad_() for part in (key, value)]
        context = attention(query, *spoilt, key_allow=REAL).context
        found.append(torch.autograd.grad(context.square().sum(), [*spoilt, *attention.parameters()]))
    torch.testing.assert_close(*found)
    assert all((slope[~REAL] == 0).all() for slope in found[1][:2])


def test_heads_must_be_alike():
    with pytest.raises(
        ValueError,
        match=r"`self_attention` and `cross_attention` must have the same number of heads\. Found 1 and 2: choose",
    ):
        MixedAttention(6, self_attention=CROSS, cross_attention=partial(MultiHeadAttention, heads=2, **PARTS))


def test_what_own_cannot_do_is_passed_on():
    class Undirected(FullPattern):
        no_causal = "it has no direction"

    undirected = partial(CrossAttention, **{**PARTS, "pattern": Undirected})
    assert MixedAttention(6, self_attention=undirected, cross_attention=CROSS).no_causal == "it has no direction"
    assert MixedAttention(6, self_attention=CROSS, cross_attention=undirected).no_causal == ""
