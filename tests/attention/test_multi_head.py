from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn, tensor

from iamm.attention.multi_head import FEW, MultiHeadAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.additive import AdditiveScore
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

PLAIN = {"pattern": FullPattern, "normaliser": SoftmaxNormaliser}


def test_by_hand():
    """D = H = 2, W_q = W_k = W_v = 1, W_o adds both heads into the first place; keys (ln 3, 0) and (0, 0), q = (1, 1).

    Head 1: scores ln 3 and 0, weights 3/4 and 1/4; head 2: 0 and 0, weights 1/2 and 1/2.
    Values (4, 2) and (0, 6): heads give 3 and 4, together 7.
    """
    attention = MultiHeadAttention(2, heads=2, score=DotProductScore, **PLAIN)
    with torch.no_grad():
        for layer in (attention.w_q, attention.w_k, attention.w_v):
            layer.weight.copy_(torch.eye(2))
        attention.w_o.weight.copy_(tensor([[1.0, 1.0], [0.0, 0.0]]))
    key, value = tensor([[[math.log(3), 0.0], [0.0, 0.0]]]), tensor([[[4.0, 2.0], [0.0, 6.0]]])
    context, weights, _ = attention(tensor([[[1.0, 1.0]]]), key, value, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[0.75, 0.25]], [[0.5, 0.5]]]]))
    torch.testing.assert_close(context, tensor([[[7.0, 0.0]]]))


@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_agrees_with_a_loop(case, naive_attention, agree, heads):
    query, key, value, allow = case
    attention = MultiHeadAttention(6, heads=heads, score=ScaledDotProductScore, **PLAIN).double()
    parts = []
    for rows in torch.arange(6).chunk(heads):
        w_q, w_k, w_v = (layer.weight[rows] for layer in (attention.w_q, attention.w_k, attention.w_v))

        def score(q, k, w_q=w_q, w_k=w_k):
            return w_q @ q @ (w_k @ k) / math.sqrt(6 / heads)

        parts.append(naive_attention(score, query, key, value @ w_v.T, allow))
    expected = torch.cat(parts, dim=-1) @ attention.w_o.weight.T
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    agree(found, expected, [query, key, value, *attention.parameters()])


def test_additive_heads_share_their_network(case, naive_attention, agree):
    query, key, value, allow = case
    attention = MultiHeadAttention(6, heads=2, score=partial(AdditiveScore, hidden=5), **PLAIN).double()
    w, u, v = (layer.weight for layer in (attention.score.w, attention.score.u, attention.score.v))
    assert w.shape == (5, 3)

    def score(q, k):
        return v[0] @ torch.tanh(w @ q + u @ k)

    halves = [slice(0, 3), slice(3, 6)]
    q, k, v_ = (layer(x) for layer, x in ((attention.w_q, query), (attention.w_k, key), (attention.w_v, value)))
    parts = [naive_attention(score, q[..., h], k[..., h], v_[..., h], allow) for h in halves]
    found = attention(query, key, value, allow=allow.unsqueeze(1)).context
    agree(found, torch.cat(parts, dim=-1) @ attention.w_o.weight.T, [query, key, value, *attention.parameters()])


def test_agrees_with_torch(case, agree):
    query, key, value, _ = case
    ours = MultiHeadAttention(6, heads=3, score=ScaledDotProductScore, **PLAIN).double()
    theirs = nn.MultiheadAttention(6, 3, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
        theirs.out_proj.weight.copy_(ours.w_o.weight)
    key_allow = tensor([[True] * 5, [True, False, True, False, False]])
    found, weights, _ = ours(query, key, value, key_allow=key_allow, need_weights=True)
    expected = theirs(query, key, value, key_padding_mask=~key_allow, average_attn_weights=False)
    torch.testing.assert_close(weights, expected[1])
    agree(found, expected[0], [query, key, value])


@pytest.mark.parametrize("heads", [4, 0, -2])
def test_heads_must_divide_the_width(heads):
    words = r"divide `dim`\. Found dim=10, heads=" if heads > 0 else r"be a whole number at least 1\. Found "
    with pytest.raises(ValueError, match=rf"`heads` must {words}{heads}\."):
        MultiHeadAttention(10, heads=heads, score=DotProductScore, **PLAIN)


@pytest.mark.parametrize(("queries", "score"), [(1, ScaledDotProductScore), (3, DotProductScore)])
def test_few_queries_read_a_memory_without_projecting_it(agree, attention_with, queries, score):
    attention = attention_with(24, MultiHeadAttention, heads=2, score=score)
    query, key, value = (torch.randn(2, n, 24, dtype=torch.float64, requires_grad=True) for n in (queries, 7, 7))
    key_allow = tensor([[True] * 5 + [False] * 2, [False] * 7])
    assert FEW * 2 * queries <= 24
    found, weights, _ = attention(query, key, value, key_allow=key_allow, need_weights=True)
    state = attention.remember(key, value, key_allow=key_allow)
    expected, same, _ = attention(query, state=state, need_weights=True)
    torch.testing.assert_close(weights, same)
    agree(found, expected, [query, key, value, *attention.parameters()])
    assert (found[1] == 0).all()
