from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.attention.additive import AdditiveAttention


def test_by_hand():
    """W = U = 1, v = 5 ln 3 and q = ln 2 / 2: tanh(q + 0) = (2−1)/(2+1) = 1/3, tanh(q + q) = (4−1)/(4+1) = 3/5.

    Scores 5/3 ln 3 and 3 ln 3 differ by 4/3 ln 3; weights 1 : 3^(4/3) = 1 : 4.3267.
    """
    attention = AdditiveAttention(1).double()
    for layer, number in ((attention.w, 1.0), (attention.u, 1.0), (attention.v, 5 * math.log(3))):
        torch.nn.init.constant_(layer.weight, number)
    half = math.log(2) / 2
    query, key = tensor([[[half]]], dtype=torch.float64), tensor([[[0.0], [half]]], dtype=torch.float64)
    weights = attention(query, key, need_weights=True).weights
    torch.testing.assert_close(weights.flatten().tolist(), [1 / 5.3267487, 4.3267487 / 5.3267487], atol=1e-7, rtol=0)


@pytest.mark.parametrize("hidden", [None, 7])
def test_agrees_with_a_loop(case, naive_attention, agree, hidden):
    query, key, value, allow = case
    attention = AdditiveAttention(6, hidden=hidden).double()
    w, u, v = attention.w.weight, attention.u.weight, attention.v.weight
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: v[0] @ torch.tanh(w @ q + u @ k), query, key, value, allow)
    agree(found, expected, [query, key, value, w, u, v])


def test_width_of_the_comparison():
    assert AdditiveAttention(5).w.weight.shape == (5, 5)
    assert AdditiveAttention(5, hidden=7).u.weight.shape == (7, 5)


def test_refuses_no_width():
    with pytest.raises(ValueError, match=r"`hidden` must be at least 1\. Found 0\."):
        AdditiveAttention(5, hidden=0)
