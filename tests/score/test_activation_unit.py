from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.score.activation_unit import ActivationUnitScore


def test_by_hand():
    """A = 1, B = 2, C = 3, b = −2, v = 5, c = 0.5, α = ¼: of q = 2 and k = ln 3 / 8 comes ln 3, with σ = ¾."""
    score = ActivationUnitScore(1, 1, hidden=1)
    with torch.no_grad():
        for layer, number in ((score.a, 1.0), (score.b, 2.0), (score.c, 3.0), (score.v, 5.0)):
            layer.weight.fill_(number)
        score.b.bias.fill_(-2)
        score.alpha.fill_(0.25)
        score.v.bias.fill_(0.5)
    query, key = score.query(tensor([[[[2.0]]]])), score.key(tensor([[[[math.log(3) / 8], [-math.log(3) / 8]]]]))
    up, down = (3 / 4 + 1 / 16) * math.log(3), -(1 / 4 + 3 / 16) * math.log(3)
    torch.testing.assert_close(score(query, key), tensor([[[[5 * up + 0.5, 5 * down + 0.5]]]]))


def test_agrees_with_a_loop_over_one_layer_of_all_four(case, naive_attention, agree, attention_with):
    """W of q, k, q − k and q ⊙ k: A = W₁ + W₃, B = W₂ − W₃, C = W₄."""
    query, key, value, allow = case
    torch.manual_seed(2)
    attention = attention_with(6, score=ActivationUnitScore)
    torch.nn.init.normal_(attention.score.alpha)
    score, w = attention.score, torch.randn(4, 36, 6, dtype=torch.float64, requires_grad=True)

    def naive(q, k):
        hidden = torch.cat(tuple(w), dim=1) @ torch.cat((q, k, q - k, q * k)) + score.b.bias
        share = 1 / (1 + torch.exp(-hidden))
        return score.v.weight[0] @ (share * hidden + (1 - share) * score.alpha * hidden) + score.v.bias[0]

    parameters = {"a.weight": w[0] + w[2], "b.weight": w[1] - w[2], "c.weight": w[3]}
    found = torch.func.functional_call(
        attention,
        {f"score.{name}": value for name, value in parameters.items()},
        (query, key, value),
        {"allow": allow.unsqueeze(1)},
    ).context
    expected = naive_attention(naive, query, key, value, allow)
    agree(found, expected, [query, key, value, w, score.b.bias, score.alpha, score.v.weight, score.v.bias])
