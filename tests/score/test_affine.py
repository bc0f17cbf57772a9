from __future__ import annotations

import torch
from torch import tensor

from iamm.normaliser.sigmoid import SigmoidNormaliser
from iamm.score.affine import AffineScore


def test_by_hand():
    """w₁ = (1, −1), w₂ = (2, 0), b = 0.5: q = (3, 9) gives 6, keys (1, 0) and (0, 4) give 1 and −4: 7.5 and 2.5."""
    score = AffineScore(2, 1)
    with torch.no_grad():
        score.w_1.weight.copy_(tensor([[1.0, -1.0]]))
        score.w_1.bias.fill_(0.5)
        score.w_2.weight.copy_(tensor([[2.0, 0.0]]))
    query, key = score.query(tensor([[[[3.0, 9.0]]]])), score.key(tensor([[[[1.0, 0.0], [0.0, 4.0]]]]))
    torch.testing.assert_close(score(query, key), tensor([[[[7.5, 2.5]]]]))


def test_agrees_with_a_loop(case, naive_attention, agree, attention_with):
    query, key, value, allow = case
    attention = attention_with(6, score=AffineScore)
    w_1, b, w_2 = attention.score.parameters()
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    expected = naive_attention(lambda q, k: w_1[0] @ k + b[0] + 0 * (w_2[0] @ q), query, key, value, allow)
    agree(found, expected, [query, key, value, w_1, b, w_2])


def test_with_the_sigmoid_it_is_the_attention_of_the_documents(case, agree, attention_with):
    """D1 §2.1, σ(W₁x + W₂y), for each pair by itself; n = 5 keys."""
    query, key, value, _ = case
    attention = attention_with(6, score=AffineScore, normaliser=SigmoidNormaliser)
    w_1, b, w_2 = attention.score.parameters()
    rows = []
    for item in range(2):
        for q in query[item]:
            terms = [
                v / (1 + 5 * torch.exp(-(w_1[0] @ k + w_2[0] @ q + b[0])))
                for k, v in zip(key[item], value[item], strict=True)
            ]
            rows.append(sum(terms))
    agree(attention(query, key, value).context, torch.stack(rows).view(2, 3, 6), [query, key, value, w_1, b, w_2])
