from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.attention.cross import CrossAttention


def test_by_hand(attention_with):
    """D = 1: W_q = 2, W_k = 3, W_v = 4; q = ln 2 / 6, k = 1 and 0: scores ln 2 and 0, weights 2/3 and 1/3.

    Values 4·1 and 4·10: context 2/3·4 + 1/3·40 = 16.
    """
    attention = attention_with(1, CrossAttention).float()
    for layer, number in ((attention.w_q, 2.0), (attention.w_k, 3.0), (attention.w_v, 4.0)):
        torch.nn.init.constant_(layer.weight, number)
    key, value = tensor([[[1.0], [0.0]]]), tensor([[[1.0], [10.0]]])
    context, weights, _ = attention(tensor([[[math.log(2) / 6]]]), key, value, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[2 / 3, 1 / 3]]]]))
    torch.testing.assert_close(context, tensor([[[16.0]]]))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query, key, value, allow = case
    attention = attention_with(6, CrossAttention)
    w_q, w_k, w_v = attention.w_q.weight, attention.w_k.weight, attention.w_v.weight
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: w_q @ q @ (w_k @ k) / math.sqrt(6), query, key, value @ w_v.T, allow)
    agree(found, expected, [query, key, value, w_q, w_k, w_v])
