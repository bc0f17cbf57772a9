from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.score.additive import AdditiveScore


def test_by_hand(attention_with):
    """W = U = 1, v = 5 ln 3 and q = ln 2 / 2: tanh(q + 0) = (2−1)/(2+1) = 1/3, tanh(q + q) = (4−1)/(4+1) = 3/5.

    Scores 5/3 ln 3 and 3 ln 3 differ by 4/3 ln 3; weights 1 : 3^(4/3) = 1 : 4.3267.
    """
    attention = attention_with(1, score=AdditiveScore)
    score, half = attention.score, math.log(2) / 2
    for layer, number in ((score.w, 1.0), (score.u, 1.0), (score.v, 5 * math.log(3))):
        torch.nn.init.constant_(layer.weight, number)
    query, key = tensor([[[half]]], dtype=torch.float64), tensor([[[0.0], [half]]], dtype=torch.float64)
    scores = score(score.query(query[None]), score.key(key[None])).flatten()
    torch.testing.assert_close(scores.tolist(), [5 / 3 * math.log(3), 3 * math.log(3)])
    weights = attention(query, key, need_weights=True).weights.flatten()
    torch.testing.assert_close(weights.tolist(), [1 / 5.3267487, 4.3267487 / 5.3267487], atol=1e-7, rtol=0)


@pytest.mark.parametrize("hidden", [None, 7])
def test_agrees_with_a_loop(case, naive_attention, agree, attention_with, hidden):
    query, key, value, allow = case
    attention = attention_with(6, score=partial(AdditiveScore, hidden=hidden))
    w, u, v = (layer.weight for layer in (attention.score.w, attention.score.u, attention.score.v))
    assert w.shape == (hidden or 6, 6)
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: v[0] @ torch.tanh(w @ q + u @ k), query, key, value, allow)
    agree(found, expected, [query, key, value, w, u, v])


def test_agrees_with_the_plain_form_where_tiles_are_used(agree):
    """Enough pairs (2·3·53·59 of 29 features) for the sum to leave the written-out form."""
    torch.manual_seed(0)
    score = AdditiveScore(13, 3, hidden=29).double()
    query, key = (torch.randn(2, 3, n, 13, dtype=torch.float64, requires_grad=True) for n in (53, 59))
    found = score(score.query(query), score.key(key))
    pairs = (query @ score.w.weight.T)[:, :, :, None] + (key @ score.u.weight.T)[:, :, None]
    agree(found, pairs.tanh() @ score.v.weight[0], [query, key, *score.parameters()])


def test_heads_share_what_is_learnt(attention_with):
    attention = attention_with(6, MultiHeadAttention, score=AdditiveScore, heads=3)
    assert [tuple(each.shape) for each in attention.score.parameters()] == [(2, 2), (2, 2), (1, 2)]


def test_no_hidden_width_is_refused():
    with pytest.raises(ValueError, match=r"`hidden` must be a whole number at least 1.*, or null\. Found 0\."):
        AdditiveScore(6, 1, hidden=0)
