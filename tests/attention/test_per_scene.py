from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.gated import GatedAttention
from iamm.attention.per_scene import PerSceneAttention
from iamm.attention.single import SingleAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore

PLAIN = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
REAL = tensor([[True] * 5, [True, True, False, True, False]])


@pytest.fixture
def attention():
    torch.manual_seed(3)
    attention = PerSceneAttention(6, inner=PLAIN, scenes=3).double()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter)
    return attention


def gate_each(attention, value):
    """Σ_s p_s σ(W_s v + b_s) ⊙ v, one place and one scene at a time."""
    layers = list(zip(attention.w.weight.split(6), attention.w.bias.split(6), strict=True))
    places = []
    for place in value.flatten(0, 1):
        powers = [torch.exp(row @ place) for row in attention.r.weight]
        gates = [1 / (1 + torch.exp(-(w @ place + b))) for w, b in layers]
        places.append(sum(power / sum(powers) * gate for power, gate in zip(powers, gates, strict=True)) * place)
    return torch.stack(places).view_as(value)


def test_by_hand():
    """D = 1, S = 2, R = (ln 3, 0), W = 0, gates σ(±ln 3) = 3/4 and 1/4.

    Place 1: p = (3/4, 1/4), z = 9/16 + 1/16. Place −1: p = (1/4, 3/4), z = −(3/16 + 3/16). Keys 0 weigh both by 1/2.
    """
    attention = PerSceneAttention(1, inner=PLAIN, scenes=2)
    with torch.no_grad():
        attention.r.weight.copy_(tensor([[math.log(3)], [0.0]]))
        attention.w.bias.copy_(tensor([math.log(3), -math.log(3)]))
    value = tensor([[[1.0], [-1.0]]])
    torch.testing.assert_close(attention.recognise(value), tensor([[[0.75, 0.25], [0.25, 0.75]]]))
    context = attention(tensor([[[2.0]]]), torch.zeros(1, 2, 1), value).context
    torch.testing.assert_close(context, tensor([[[(0.625 - 0.375) / 2]]]))


@pytest.mark.parametrize("remembered", [False, True])
def test_a_memory_agrees_with_a_loop(case, naive_attention, agree, attention, remembered):
    query, key, value, allow = case
    gated = gate_each(attention, value)
    expected = naive_attention(lambda q, k: q @ k, query, key, gated, allow & REAL[:, None])
    leaves = [query, key, value, *attention.parameters()]
    if remembered:
        memory = {"state": attention.remember(key, value, key_allow=REAL)}
    else:
        memory = {"key": key, "value": value, "key_allow": REAL}
    agree(attention(query, allow=allow[:, None], **memory).context, expected, leaves)


def test_a_sequence_agrees_with_a_loop(case, naive_attention, agree, attention):
    _, key, _, _ = case
    earlier = torch.ones(5, 5, dtype=torch.bool).tril().expand(2, 5, 5)
    expected = naive_attention(lambda q, k: q @ k, key, key, gate_each(attention, key), earlier)
    agree(attention(key, causal=True).context, expected, [key, *attention.parameters()])


def test_one_scene_is_gated_attention(case, agree):
    query, key, value, _ = case
    found = PerSceneAttention(6, inner=PLAIN, scenes=1, gate_bias=0.3).double()
    expected = GatedAttention(6, inner=PLAIN, gate_bias=0.3).double()
    torch.nn.init.normal_(found.w.weight)
    expected.w = found.w
    leaves = [query, key, value, found.w.weight, found.w.bias]
    agree(found(query, key, value).context, expected(query, key, value).context, leaves)


def test_the_gates_start_open(case):
    query, key, value, _ = case
    attention = PerSceneAttention(6, inner=PLAIN).double()
    expected = 0.982013790037908 * attention.inner(query, key, value).context
    torch.testing.assert_close(attention(query, key, value).context, expected)


def test_scenes_are_learnt(case):
    """One step tells the scenes' gates apart; from then on the recognition has a slope too."""
    query, key, value, _ = case
    attention = PerSceneAttention(6, inner=PLAIN, scenes=3).double()
    optimizer = torch.optim.SGD(attention.parameters(), lr=1.0)
    for _ in range(2):
        optimizer.zero_grad()
        attention(query, key, value).context.square().sum().backward()
        optimizer.step()
    first, second, third = attention.w.weight.split(6)
    for difference in (first - second, second - third, first - third):
        assert difference.abs().min() > 1e-6
    assert attention.r.weight.grad.abs().min() > 1e-6


def test_a_place_recognises_its_scene_alone(case, attention):
    value = case[2]
    alone = [attention.gate(value[b : b + 1, k : k + 1]) for b in range(2) for k in range(5)]
    torch.testing.assert_close(attention.gate(value), torch.cat(alone).view(2, 5, 6))


@pytest.mark.parametrize("scenes", [0, -3])
def test_needs_a_scene(scenes):
    with pytest.raises(ValueError, match=rf"`scenes` must be a whole number at least 1.* Found {scenes}\."):
        PerSceneAttention(6, inner=PLAIN, scenes=scenes)
