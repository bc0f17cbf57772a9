"""Additive attention without any configuration."""

from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.attention.additive import AdditiveAttention


def test_a_value_by_hand():
    """D = 1, W = U = 1, v = 1: scores tanh(q + k) for q = 0 and k = (1, −1), values = keys."""
    attention = AdditiveAttention(1).double()
    for linear in (attention.score.w, attention.score.u, attention.score.v):
        torch.nn.init.ones_(linear.weight)
    query, key = tensor([[[0.0]]], dtype=torch.float64), tensor([[[1.0], [-1.0]]], dtype=torch.float64)
    context, weights, _ = attention(query, key, need_weights=True)
    first = 1 / (1 + math.exp(-2 * math.tanh(1)))
    torch.testing.assert_close(weights, tensor([[[[first, 1 - first]]]], dtype=torch.float64))
    torch.testing.assert_close(context, tensor([[[2 * first - 1]]], dtype=torch.float64))


def test_it_equals_a_naive_loop(case, naive_attention, agree):
    query, key, value, allow = case
    attention = AdditiveAttention(6).double()
    score = attention.score

    def compare(q, k):
        return score.v(torch.tanh(score.w(q) + score.u(k)))[0]

    leaves = [query, key, value, *attention.parameters()]
    context = attention(query, key, value, allow=allow.unsqueeze(1)).context
    agree(context, naive_attention(compare, query, key, value, allow), leaves)
