from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.attention.self import SelfAttention


@pytest.fixture
def attention(attention_with):
    return attention_with(6, SelfAttention)


def reader(attention, naive_attention):
    """A(q, k, v, allow) as a loop, with the attention's own projections."""
    w_q, w_k, w_v = attention.w_q.weight, attention.w_k.weight, attention.w_v.weight

    def score(q, k):
        return w_q @ q @ (w_k @ k) / math.sqrt(6)

    return lambda query, key, value, allow: naive_attention(score, query, key, value @ w_v.T, allow)


def test_by_hand(attention_with):
    """D = 1, W_k = 0 makes all scores equal, W_v = 2: of the tokens 0 and 6 each gathers 2·3 = 6, a query reads 2·6."""
    attention = attention_with(1, SelfAttention).float()
    for layer, number in ((attention.w_q, 1.0), (attention.w_k, 0.0), (attention.w_v, 2.0)):
        torch.nn.init.constant_(layer.weight, number)
    memory = tensor([[[0.0], [6.0]]])
    torch.testing.assert_close(attention(memory).context, tensor([[[6.0], [6.0]]]))
    torch.testing.assert_close(attention(tensor([[[7.0]]]), memory).context, tensor([[[12.0]]]))


def test_plain_self_attention_agrees_with_a_loop(case, naive_attention, agree, attention):
    query, _, _, allow = case
    allow = allow[:, :, :3]
    found = attention(query, allow=allow.unsqueeze(1)).context
    expected = reader(attention, naive_attention)(query, query, query, allow)
    agree(found, expected, [query, *attention.parameters()])


def test_a_separate_memory_first_attends_to_itself(case, naive_attention, agree, attention):
    query, key, _, allow = case
    key_allow = tensor([[True] * 5, [True, True, False, True, False]])
    read = reader(attention, naive_attention)
    gathered = read(key, key, key, key_allow[:, None].expand(2, 5, 5))
    expected = read(query, gathered, gathered, allow & key_allow[:, None])
    found = attention(query, key, allow=allow.unsqueeze(1), key_allow=key_allow).context
    agree(found, expected, [query, key, *attention.parameters()])


def test_a_separate_value_is_carried_by_the_same_weights(case, naive_attention, agree, attention):
    query, key, value, allow = case
    read, everything = reader(attention, naive_attention), torch.ones(2, 5, 5, dtype=torch.bool)
    gathered, carried = (read(key, key, carried, everything) for carried in (key, value))
    expected = read(query, gathered, carried, allow)
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    agree(found, expected, [query, key, value, *attention.parameters()])
