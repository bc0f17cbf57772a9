from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.normaliser.sum import SumNormaliser
from iamm.pattern.predicted_window import PredictedWindowPattern
from iamm.score.dot_product import DotProductScore
from iamm.score.kernel import KernelScore


@pytest.fixture
def predicting(attention_with):
    """For queries of ones: W = 1, v such that vᵀ tanh(W q) is the logit of `share`."""

    def make(dim: int, radius: int, share: float):
        attention = attention_with(dim, score=DotProductScore, pattern=partial(PredictedWindowPattern, radius=radius))
        with torch.no_grad():
            attention.pattern.w.weight.copy_(torch.eye(dim))
            attention.pattern.v.weight.fill_(math.log(share / (1 - share)) / (dim * math.tanh(1)))
        return attention

    return make


def test_by_hand(predicting):
    """S = 8, p = 8 · 1/4 = 2, σ = 1: the scores, otherwise alike, are −(k − 2)²/2 for k = 0 … 7."""
    attention = predicting(2, radius=2, share=0.25)
    key = torch.zeros(1, 8, 2, dtype=torch.float64)
    weights = attention(torch.ones(1, 1, 2, dtype=torch.float64), key, need_weights=True).weights
    bell = [math.exp(-((k - 2) ** 2) / 2) for k in range(8)]
    torch.testing.assert_close(weights.flatten(), tensor([b / sum(bell) for b in bell], dtype=torch.float64))


@pytest.mark.parametrize("causal", [False, True])
def test_agrees_with_a_loop(case, agree, attention_with, causal):
    """eq. 9 with S up to the last real place or, where causal, the query's own; eq. 10 as a factor inside softmax."""
    places = case[1]
    attention = attention_with(6, score=DotProductScore, pattern=partial(PredictedWindowPattern, radius=3))
    w, v = attention.pattern.w.weight, attention.pattern.v.weight[0]
    key_allow = tensor([[True, False, True, True, False], [True, True, True, True, True]])
    rows = []
    for b, length in enumerate((4, 5)):
        for q in range(5):
            query = places[b, q] if key_allow[b, q] else torch.zeros(6, dtype=torch.float64)
            p = (q + 1 if causal else length) * torch.sigmoid(v @ torch.tanh(w @ query))
            seen = [k for k in range(q + 1 if causal else 5) if key_allow[b, k]]
            powers = [torch.exp(query @ places[b, k]) * torch.exp(-((k - p) ** 2) / (2 * 1.5**2)) for k in seen]
            rows.append(sum(power / sum(powers) * places[b, k] for power, k in zip(powers, seen, strict=True)))
    found = attention(places, key_allow=key_allow, causal=causal).context
    agree(found, torch.stack(rows).view(2, 5, 6), [places, *attention.parameters()])


def test_a_memory_apart_is_read_where_the_query_says(predicting):
    """Of 200 places, 60 of them real, the one at three quarters: 45, and of the values k thereabouts their mean."""
    attention = predicting(3, radius=4, share=0.75)
    value = torch.arange(200, dtype=torch.float64).view(1, 200, 1).expand(-1, -1, 3)
    key_allow = torch.arange(200)[None] < 60
    context, weights, _ = attention(
        torch.ones(1, 1, 3, dtype=torch.float64), torch.zeros_like(value), value, key_allow=key_allow, need_weights=True
    )
    assert weights.argmax() == 45
    torch.testing.assert_close(context, torch.full_like(context, 45.0), rtol=1e-6, atol=0)


def test_a_memory_without_places_gives_nothing(predicting):
    query, key = torch.ones(2, 3, 5, dtype=torch.float64), torch.zeros(2, 0, 5, dtype=torch.float64)
    context, weights, _ = predicting(5, radius=2, share=0.5)(
        query, key, key_allow=torch.ones(2, 0, dtype=torch.bool), need_weights=True
    )
    torch.testing.assert_close(context, torch.zeros_like(query))
    assert weights.shape == (2, 1, 3, 0)


def test_no_query_behind_a_past(predicting):
    attention, places = predicting(5, radius=2, share=0.5), torch.ones(2, 7, 5, dtype=torch.float64)
    state = attention(places, causal=True, state=attention.empty_state(places)).state
    context, weights, state = attention(places[:, :0], causal=True, state=state, need_weights=True)
    assert (context.shape, weights.shape, state.length) == ((2, 0, 5), (2, 1, 0, 7), 7)


def test_a_bias_comes_on_top(predicting):
    attention = predicting(2, radius=2, share=0.5)
    query, key = torch.ones(1, 1, 2, dtype=torch.float64), torch.zeros(1, 2, 2, dtype=torch.float64)
    bias = tensor([[0.5, 0.0]], dtype=torch.float64)  # p = 1: the bell's scores are −1/2 and 0
    weights = attention(query, key, bias=bias, need_weights=True).weights
    torch.testing.assert_close(weights.flatten(), tensor([0.5, 0.5], dtype=torch.float64))


def test_where_to_look_is_learnt(attention_with):
    """The place with the right value is 20 places from where the bell begins, ten deviations away."""
    torch.manual_seed(0)
    attention = attention_with(3, pattern=partial(PredictedWindowPattern, radius=10))
    optimizer = torch.optim.Adam(attention.parameters(), lr=0.1)
    query, key = torch.ones(1, 1, 3, dtype=torch.float64), torch.zeros(1, 60, 3, dtype=torch.float64)
    value = torch.arange(60, dtype=torch.float64).view(1, 60, 1).expand(-1, -1, 3)
    for _ in range(60):
        loss = (attention(query, key, value).context - 50).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.testing.assert_close(attention(query, key, value).context, torch.full_like(query, 50.0), atol=1.0, rtol=0)


def test_a_window_is_at_least_one_wide():
    with pytest.raises(ValueError, match=r"`radius` must be a whole number at least 1.* Found 0\."):
        PredictedWindowPattern(3, 1, radius=0)


def test_refuses_a_normaliser_of_positive_scores(attention_with):
    with pytest.raises(ValueError, match=r"This `pattern` lowers scores below zero\. Found SumNormaliser"):
        attention_with(6, score=KernelScore, normaliser=SumNormaliser, pattern=PredictedWindowPattern)
