from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.score.cosine import CosineScore


def test_by_hand():
    """(3, 4)·(4, 3) / (5·5) = 0.96, ·(−6, −8) = −1, ·0 = 0; times τ = 10."""
    score = CosineScore(2, 1)
    query = tensor([[[[3.0, 4.0]]]])
    key = tensor([[[[4.0, 3.0], [-6.0, -8.0], [0.0, 0.0]]]])
    torch.testing.assert_close(score(score.query(query), score.key(key)), tensor([[[[9.6, -10.0, 0.0]]]]))


@pytest.mark.parametrize("size", [1e-12, 1e12])
def test_lengths_count_for_nothing(case, size, attention_with):
    query, key, value, _ = case
    attention = attention_with(6, score=CosineScore)
    found = attention(query * size, key * size, value).context
    torch.testing.assert_close(found, attention(query, key, value).context)


def test_zero_vectors_have_finite_gradients():
    score = CosineScore(3, 1)
    query, key = (torch.zeros(1, 1, 2, 3, requires_grad=True) for _ in range(2))
    score(score.query(query), score.key(key + tensor([[1.0], [0.0]]))).sum().backward()
    torch.testing.assert_close(query.grad, torch.full((1, 1, 2, 3), 10 / math.sqrt(3)))  # as if of length 1
    torch.testing.assert_close(key.grad, torch.zeros(1, 1, 2, 3))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    """Each head with a τ of its own, the first as it starts."""
    query, key, value, allow = case
    attention = attention_with(6, MultiHeadAttention, score=partial(CosineScore, scale=3.0), heads=2)
    theta = attention.score.theta
    torch.testing.assert_close(theta.exp().flatten().tolist(), [3.0, 3.0], rtol=1e-6, atol=0)
    torch.nn.init.constant_(theta[1], math.log(0.7))

    def head(h):
        def cosine(q, k):
            return theta[h, 0, 0].exp() * (q @ k) / ((q @ q) * (k @ k)) ** 0.5

        return cosine

    layers = ((attention.w_q, query), (attention.w_k, key), (attention.w_v, value))
    halves = [tuple(layer(x).chunk(2, dim=-1)[h] for layer, x in layers) for h in range(2)]
    parts = [naive_attention(head(h), *halves[h], allow) for h in range(2)]
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    agree(found, torch.cat(parts, dim=-1) @ attention.w_o.weight.T, [query, key, value, *attention.parameters()])


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_refuses_a_scale_that_is_not_positive(scale):
    with pytest.raises(ValueError, match=rf"`scale` must be a number above 0\. Found {scale}\."):
        CosineScore(3, 1, scale=scale)
