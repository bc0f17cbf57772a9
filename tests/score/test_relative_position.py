from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.score.relative_position import RelativePositionScore
from iamm.score.scaled_dot_product import ScaledDotProductScore


def test_by_hand():
    """E = 4, reach 1, all along the first axis: r_{−1} = 10, r_0 = 20, r_1 = 30, q = 2, keys 0, 1, 2, 3.

    From place 1: qᵀk = 0, 2, 4, 6 and qᵀr = 20, 40, 60, 60, halved: 10, 21, 32, 33. From place 3: qᵀr = 20, 20, 20, 40.
    """
    score = RelativePositionScore(4, 1, reach=1)
    first = tensor([1.0, 0.0, 0.0, 0.0])
    with torch.no_grad():
        score.relative.copy_(tensor([[10.0], [20.0], [30.0]]) * first)
    query, key = score.query(2 * first.expand(1, 1, 2, 4)), score.key(torch.arange(4.0).view(1, 1, 4, 1) * first)
    distance = torch.arange(4) - tensor([[1], [3]])
    expected = tensor([[[[10.0, 21.0, 32.0, 33.0], [10.0, 11.0, 12.0, 23.0]]]])
    torch.testing.assert_close(score(query, key, distance), expected)
    torch.testing.assert_close(score(query, key), tensor([[[[0.0, 1.0, 2.0, 3.0]] * 2]]))


def test_half_precision(attention_with):
    generator = torch.Generator().manual_seed(0)
    attention = attention_with(6, score=RelativePositionScore)
    torch.nn.init.normal_(attention.score.relative, generator=generator)
    query = torch.randn(2, 5, 6, generator=generator).half()
    expected = attention(query.double()).context
    found = attention.half()(query).context
    assert found.dtype == torch.float16
    torch.testing.assert_close(found.double(), expected, atol=5e-3, rtol=5e-3)


def test_starts_as_scaled_dot_product(case, agree, attention_with):
    query = case[0]
    found, expected = (
        attention_with(6, score=score)(query).context for score in (RelativePositionScore, ScaledDotProductScore)
    )
    agree(found, expected, [query])


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_agrees_with_a_loop(case, agree, attention_with, reach):
    """Two heads, one set of vectors; causal, so that the weights are over the past alone."""
    key = case[1]
    attention = attention_with(6, MultiHeadAttention, score=partial(RelativePositionScore, reach=reach), heads=2)
    r = torch.nn.init.normal_(attention.score.relative, generator=torch.Generator().manual_seed(3))
    layers = (attention.w_q, attention.w_k, attention.w_v)
    contexts = []
    for b in range(2):
        for q in range(5):
            heads = []
            for h in range(2):
                xs = [layer(key[b]).chunk(2, dim=-1)[h] for layer in layers]
                scores = [
                    (xs[0][q] @ xs[1][k] + xs[0][q] @ r[max(min(k - q, reach), -reach) + reach]) / math.sqrt(3)
                    for k in range(q + 1)
                ]
                weights = torch.stack(scores).softmax(0)
                heads.append(sum(weights[k] * xs[2][k] for k in range(q + 1)))
            contexts.append(attention.w_o(torch.cat(heads)))
    expected = torch.stack(contexts).view(2, 5, 6)
    agree(attention(key, causal=True).context, expected, [key, r, *(layer.weight for layer in layers)])


def test_a_shifted_sequence_is_read_the_same(case, attention_with):
    """Places count from each other, not from the start: what comes before, hidden, changes nothing."""
    query = case[1].detach()
    attention = attention_with(6, score=partial(RelativePositionScore, reach=2))
    torch.nn.init.normal_(attention.score.relative, generator=torch.Generator().manual_seed(3))
    later = torch.cat([torch.zeros(2, 3, 6, dtype=torch.float64), query], dim=1)
    seen = (torch.arange(8) >= 3).expand(2, 8)
    found = attention(later, key_allow=seen).context[:, 3:]
    torch.testing.assert_close(found, attention(query).context)


def test_a_memory_apart_has_no_distances(case, attention_with):
    query, key, value, _ = case
    attention = attention_with(6, score=RelativePositionScore)
    torch.nn.init.normal_(attention.score.relative)
    expected = attention_with(6)(query, key, value).context
    torch.testing.assert_close(attention(query, key, value).context, expected)


@pytest.mark.parametrize("reach", [0, -1])
def test_refuses_no_reach(reach):
    with pytest.raises(ValueError, match=rf"`reach` must be a whole number at least 1.* Found {reach}\."):
        RelativePositionScore(4, 1, reach=reach)
