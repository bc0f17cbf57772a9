from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.score.additive import AdditiveScore
from iamm.score.concat import ConcatScore


def test_by_hand():
    """W = (2, 1), b = ln 3 / 2, v = 10, q = ln 2 / 2, keys 0 and −ln 2: tanh(ln(n)/2) for n = 4·3 = 12 and 12/4 = 3.

    10·11/13 and 10·2/4; with the halves of W exchanged n would be 2·3 and 6/16.
    """
    score = ConcatScore(1, 1).double()
    with torch.no_grad():
        score.w.weight.copy_(tensor([[2.0, 1.0]]))
    torch.nn.init.constant_(score.w.bias, math.log(3) / 2)
    torch.nn.init.constant_(score.v.weight, 10.0)
    query = tensor([[[[math.log(2) / 2]]]], dtype=torch.float64)
    key = tensor([[[[0.0], [-math.log(2)]]]], dtype=torch.float64)
    scores = score(score.query(query), score.key(key))
    torch.testing.assert_close(scores, tensor([[[[110 / 13, 5.0]]]], dtype=torch.float64))


@pytest.mark.parametrize("hidden", [None, 7])
def test_agrees_with_a_loop(case, naive_attention, agree, attention_with, hidden):
    query, key, value, allow = case
    attention = attention_with(6, score=partial(ConcatScore, hidden=hidden))
    w, b, v = attention.score.w.weight, attention.score.w.bias, attention.score.v.weight
    assert w.shape == (hidden or 6, 12)
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: v[0] @ torch.tanh(w @ torch.cat((q, k)) + b), query, key, value, allow)
    agree(found, expected, [query, key, value, w, b, v])


def test_is_additive_with_a_bias(case, agree):
    """W [q; k] = W₁ q + W₂ k: the same as `additive` from the same halves, once the bias is none."""
    query, key = (each[:, None] for each in case[:2])
    concat, additive = ConcatScore(6, 1, hidden=5).double(), AdditiveScore(6, 1, hidden=5).double()
    torch.nn.init.zeros_(concat.w.bias)
    with torch.no_grad():
        additive.w.weight.copy_(concat.w.weight[:, :6])
        additive.u.weight.copy_(concat.w.weight[:, 6:])
        additive.v.weight.copy_(concat.v.weight)
    found, expected = (score(score.query(query), score.key(key)) for score in (concat, additive))
    agree(found, expected, [query, key])


def test_no_hidden_width_is_refused():
    with pytest.raises(ValueError, match=r"`hidden` must be a whole number at least 1.*, or null\. Found -1\."):
        ConcatScore(6, 1, hidden=-1)
