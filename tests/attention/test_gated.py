from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.gated import GatedAttention
from iamm.attention.multi_head import MultiHeadAttention
from iamm.attention.self import SelfAttention
from iamm.attention.single import SingleAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore

PARTS = {"score": DotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser}
PLAIN = partial(SingleAttention, **PARTS)
REAL = tensor([[True] * 5, [True, True, False, True, False]])


@pytest.fixture
def attention():
    torch.manual_seed(3)
    attention = GatedAttention(6, inner=PLAIN).double()
    torch.nn.init.normal_(attention.w.weight)
    torch.nn.init.normal_(attention.w.bias)
    return attention


def dot(q, k):
    return q @ k


def gate_each(attention, value):
    """σ(W v + b) ⊙ v, one place at a time."""
    w, b = attention.w.weight, attention.w.bias
    return torch.stack([torch.stack([place / (1 + torch.exp(-(w @ place + b))) for place in row]) for row in value])


def test_by_hand():
    """D = 1, W = 1, b = 0: ln 3 passes to σ(ln 3) = 3/4, −ln 3 to 1/4; keys 0 weigh both by 1/2."""
    attention = GatedAttention(1, inner=PLAIN, gate_bias=0.0)
    torch.nn.init.ones_(attention.w.weight)
    value = tensor([[[math.log(3)], [-math.log(3)]]])
    context = attention(tensor([[[2.0]]]), torch.zeros(1, 2, 1), value).context
    torch.testing.assert_close(context, tensor([[[(0.75 - 0.25) * math.log(3) / 2]]]))


def test_the_gate_starts_open_and_learns(case):
    query, key, value, _ = case
    attention = GatedAttention(6, inner=PLAIN).double()
    found = attention(query, key, value).context
    torch.testing.assert_close(found, 0.982013790037908 * attention.inner(query, key, value).context)
    slopes = torch.autograd.grad(found.square().sum(), [attention.w.weight, attention.w.bias])
    assert all((slope != 0).all() for slope in slopes)


@pytest.mark.parametrize("remembered", [False, True])
def test_a_memory_agrees_with_a_loop(case, naive_attention, agree, attention, remembered):
    query, key, value, allow = case
    expected = naive_attention(dot, query, key, gate_each(attention, value), allow & REAL[:, None])
    leaves = [query, key, value, *attention.parameters()]
    if remembered:
        memory = {"state": attention.remember(key, value, key_allow=REAL)}
    else:
        memory = {"key": key, "value": value, "key_allow": REAL}
    agree(attention(query, allow=allow[:, None], **memory).context, expected, leaves)


def test_a_sequence_agrees_with_a_loop(case, naive_attention, agree, attention):
    _, key, value, _ = case
    earlier = torch.ones(5, 5, dtype=torch.bool).tril().expand(2, 5, 5)
    leaves = [key, *attention.parameters()]
    expected = naive_attention(dot, key, key, gate_each(attention, key), earlier)
    agree(attention(key, causal=True).context, expected, leaves)
    expected = naive_attention(dot, key, key, gate_each(attention, value), earlier)
    agree(attention(key, value=value, causal=True).context, expected, [value, *leaves])


def test_a_growing_past_is_gated_once(case, attention):
    _, key, _, _ = case
    state, parts = attention.empty_state(key), []
    for step in key.split(1, dim=1):
        context, _, state = attention(step, causal=True, state=state)
        parts.append(context)
    torch.testing.assert_close(torch.cat(parts, dim=1), attention(key, causal=True).context)
    torch.testing.assert_close(state.value[:, 0], gate_each(attention, key))


def test_a_padded_nan_reaches_no_gradient(case, attention):
    query, key, value, _ = case
    found = []
    for garbage in (0.0, math.nan):
        spoilt = value.detach().masked_fill(~REAL[..., None], garbage).requires_grad_()
        context = attention(query, key, spoilt, key_allow=REAL).context
        found.append(torch.autograd.grad(context.square().sum(), [spoilt, *attention.parameters()]))
    torch.testing.assert_close(*found)
    assert (found[1][0][~REAL] == 0).all()


def test_inside_are_several_heads(case):
    query, key, value, _ = case
    attention = GatedAttention(6, inner=partial(MultiHeadAttention, heads=3, **PARTS), gate_bias=0.5).double()
    context, weights, _ = attention(query, key, value, need_weights=True)
    assert weights.shape == (2, 3, 3, 5)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(value)), context)


def test_what_the_inner_attention_cannot_do_is_passed_on():
    class Undirected(FullPattern):
        no_causal = "it has no direction"

    attention = GatedAttention(6, inner=partial(SingleAttention, **{**PARTS, "pattern": Undirected}))
    assert attention.no_causal == "it has no direction"
    with pytest.raises(ValueError, match="cannot be causal: it has no direction"):
        attention(torch.ones(1, 2, 6), causal=True)
    assert not attention.mixes_memory
    assert GatedAttention(6, inner=partial(SelfAttention, **PARTS)).mixes_memory
