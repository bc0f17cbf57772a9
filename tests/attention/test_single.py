from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.single import SingleAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.additive import AdditiveScore
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

PARTS = {"pattern": FullPattern, "normaliser": SoftmaxNormaliser}


def test_by_hand():
    """Scores ln 3 and 0, weights 3/4 and 1/4: the values themselves are mixed, (3/4)·4 + (1/4)·(−8) = 1."""
    attention = SingleAttention(2, score=DotProductScore, **PARTS)
    key, value = tensor([[[math.log(3), 0.0], [0.0, 7.0]]]), tensor([[[4.0, 4.0], [-8.0, 0.0]]])
    context, weights, state = attention(tensor([[[1.0, 0.0]]]), key, value, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[0.75, 0.25]]]]))
    torch.testing.assert_close(context, tensor([[[1.0, 3.0]]]))
    assert state is None


def test_by_hand_with_the_additive_score():
    """W = U = 1, v = 5 ln 3 and q = ln 2 / 2: tanh(q + 0) = (2−1)/(2+1) = 1/3, tanh(q + q) = (4−1)/(4+1) = 3/5.

    Scores 5/3 ln 3 and 3 ln 3 differ by 4/3 ln 3; weights 1 : 3^(4/3) = 1 : 4.3267.
    """
    attention = SingleAttention(1, score=AdditiveScore, **PARTS).double()
    score = attention.score
    for layer, number in zip(score.parameters(), (1.0, 1.0, 5 * math.log(3)), strict=True):
        torch.nn.init.constant_(layer, number)
    half = math.log(2) / 2
    query, key = tensor([[[half]]], dtype=torch.float64), tensor([[[0.0], [half]]], dtype=torch.float64)
    weights = attention(query, key, need_weights=True).weights
    torch.testing.assert_close(weights.flatten().tolist(), [1 / 5.3267487, 4.3267487 / 5.3267487], atol=1e-7, rtol=0)


@pytest.mark.parametrize("hidden", [None, 7])
def test_agrees_with_a_loop(case, naive_attention, agree, hidden):
    query, key, value, allow = case
    attention = SingleAttention(6, score=partial(AdditiveScore, hidden=hidden), **PARTS).double()
    w, u, v = attention.parameters()
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: v.flatten() @ torch.tanh(w @ q + u @ k), query, key, value, allow)
    agree(found, expected, [query, key, value, w, u, v])


def test_learns_nothing_but_what_its_parts_learn():
    assert list(SingleAttention(6, score=ScaledDotProductScore, **PARTS).parameters()) == []
