from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.score.general import GeneralScore
from iamm.score.scaled_dot_product import ScaledDotProductScore


def test_by_hand():
    """q = (1, 2), W = [[1, 3], [0, −1]], k = (2, 1): W k = (5, −1), qᵀW k = 3; the other way round 1·4 + 3·2 ≠ 3."""
    score = GeneralScore(2, 1)
    with torch.no_grad():
        score.w.weight.copy_(tensor([[1.0, 3.0], [0.0, -1.0]]))
    query, key = tensor([[[[1.0, 2.0]]]]), tensor([[[[2.0, 1.0]]]])
    torch.testing.assert_close(score(score.query(query), score.key(key)), tensor([[[[3.0]]]]))


def test_starts_as_scaled_dot_product(case, agree, attention_with):
    query, key, value, _ = case
    found, expected = (
        attention_with(6, score=score)(query, key, value).context for score in (GeneralScore, ScaledDotProductScore)
    )
    agree(found, expected, [query, key, value])


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query, key, value, allow = case
    attention = attention_with(6, score=GeneralScore)
    w = torch.nn.init.normal_(attention.score.w.weight, std=1 / 6)
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: q @ (w @ k), query, key, value, allow)
    agree(found, expected, [query, key, value, w])


def test_heads_share_the_matrix(attention_with):
    attention = attention_with(6, MultiHeadAttention, score=GeneralScore, heads=3)
    torch.testing.assert_close(attention.score.w.weight.detach(), torch.eye(2, dtype=torch.float64) / math.sqrt(2))
