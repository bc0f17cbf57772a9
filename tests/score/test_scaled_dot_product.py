from __future__ import annotations

import math

import pytest
import torch
from torch import tensor
from torch.nn import functional

from iamm.score.scaled_dot_product import ScaledDotProductScore


def test_by_hand(attention_with):
    """q = (2, 0, 0, 0), x = (ln 3, …) and 0: scores 2·ln 3/√4 = ln 3 and 0, weights 3/4 and 1/4."""
    query = tensor([[[2.0, 0.0, 0.0, 0.0]]])
    key = tensor([[[math.log(3), 1.0, 1.0, 1.0], [0.0, 5.0, 5.0, 5.0]]])
    value = tensor([[[4.0, 0.0, 0.0, 8.0], [0.0, 4.0, 0.0, 0.0]]])
    context, weights, _ = attention_with(4, score=ScaledDotProductScore)(query, key, value, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[0.75, 0.25]]]]))
    torch.testing.assert_close(context, tensor([[[3.0, 1.0, 0.0, 6.0]]]))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query, key, value, allow = case
    found = attention_with(6, score=ScaledDotProductScore)(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: q @ k / math.sqrt(6), query, key, value, allow)
    agree(found, expected, [query, key, value])


@pytest.mark.parametrize("causal", [False, True])
def test_agrees_with_torch(case, agree, causal, attention_with):
    query = case[0]
    found = attention_with(6, score=ScaledDotProductScore)(query, causal=causal).context
    expected = functional.scaled_dot_product_attention(query, query, query, is_causal=causal)
    agree(found, expected, [query])


def test_mask_and_bias_agree_with_torch(case, agree, attention_with):
    query, key, value, allow = case
    bias = torch.linspace(-2, 2, 15, dtype=torch.float64).view(3, 5).requires_grad_()
    allow[1, 2, 0] = True
    found = attention_with(6, score=ScaledDotProductScore)(
        query, key, value, allow=allow.unsqueeze(1), bias=bias
    ).context
    added = bias.masked_fill(~allow, -math.inf)
    expected = functional.scaled_dot_product_attention(query, key, value, attn_mask=added)
    agree(found, expected, [query, key, value, bias])
