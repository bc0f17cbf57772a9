from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.cross import CrossAttention
from iamm.attention.hierarchical import HierarchicalAttention
from iamm.attention.multi_head import MultiHeadAttention
from iamm.attention.self import SelfAttention
from iamm.attention.single import SingleAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.additive import AdditiveScore
from iamm.score.dot_product import DotProductScore

PARTS = {"pattern": FullPattern, "normaliser": SoftmaxNormaliser}
DOT = partial(SingleAttention, score=DotProductScore, **PARTS)
ADDITIVE = partial(SingleAttention, score=partial(AdditiveScore, hidden=7), **PARTS)
CROSS = partial(CrossAttention, score=DotProductScore, **PARTS)
REAL = tensor([[True] * 5, [False, True, False, False, True]])


def make(length, word=ADDITIVE, sentence=ADDITIVE):
    torch.manual_seed(3)
    return HierarchicalAttention(6, word=word, sentence=sentence, length=length).double()


def weighed(scores, values):
    """Σ_i softmax(s)_i v_i, and the weights."""
    powers = [torch.exp(score) for score in scores]
    weights = [power / sum(powers) for power in powers]
    return sum(weight * value for weight, value in zip(weights, values, strict=True)), weights


def loop(attention, query, key, value, allow, bias=None):
    """One query, one segment, one place at a time, with additive scores: contexts (B, Q, D) and weights (B, Q, K)."""
    (w_1, u_1, v_1), (w_2, u_2, v_2) = (
        (part.score.w.weight, part.score.u.weight, part.score.v.weight[0])
        for part in (attention.word, attention.sentence)
    )
    bias = torch.zeros(allow.shape[1:], dtype=query.dtype) if bias is None else bias
    contexts, every = torch.zeros_like(query), torch.zeros(allow.shape, dtype=query.dtype)
    for b, q in torch.cartesian_prod(*map(torch.arange, query.shape[:2])).tolist():
        sentences, scores, inside = [], [], []
        for start in range(0, key.shape[1], attention.length):
            seen = [k for k in range(start, min(start + attention.length, key.shape[1])) if allow[b, q, k]]
            if seen:
                words = [v_1 @ torch.tanh(w_1 @ query[b, q] + u_1 @ key[b, k]) + bias[q, k] for k in seen]
                sentence, weights = weighed(words, [value[b, k] for k in seen])
                score = v_2 @ torch.tanh(w_2 @ query[b, q] + u_2 @ sentence) + max(bias[q, k] for k in seen)
                sentences.append(sentence), scores.append(score), inside.append((seen, weights))
        if sentences:
            context, among = weighed(scores, sentences)
            contexts = contexts.index_put((tensor(b), tensor(q)), context)
            for beta, (seen, weights) in zip(among, inside, strict=True):
                for k, alpha in zip(seen, weights, strict=True):
                    every[b, q, k] = (beta * alpha).detach()
    return contexts, every


def test_by_hand():
    """Segments of two and q = (1, 0): the first numbers are the scores, of the keys and then of the sentences.

    Words: keys ln 3, 0 | 0, 0 | 7 give weights 3/4, 1/4 | 1/2, 1/2 | 1. Sentences: (ln 2, 5), (0, 4), (0, 8), of
    weights 1/2, 1/4, 1/4: context (½ ln 2, 2.5 + 1 + 2).
    """
    attention = HierarchicalAttention(2, word=DOT, sentence=DOT, length=2)
    key = tensor([[[math.log(3), 9.0], [0.0, 9.0], [0.0, 9.0], [0.0, 9.0], [7.0, 9.0]]])
    value = tensor([[[math.log(2), 4.0], [math.log(2), 8.0], [0.0, 2.0], [0.0, 6.0], [0.0, 8.0]]])
    context, weights, _ = attention(tensor([[[1.0, 0.0]]]), key, value, need_weights=True)
    torch.testing.assert_close(weights, tensor([[[[3 / 8, 1 / 8, 1 / 8, 1 / 8, 1 / 4]]]]))
    torch.testing.assert_close(context, tensor([[[math.log(2) / 2, 5.5]]]))


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("remembered", [False, True])
def test_a_memory_agrees_with_a_loop(case, agree, length, remembered):
    query, key, value, allow = case
    attention = make(length)
    expected, expected_weights = loop(attention, query, key, value, allow & REAL[:, None])
    if remembered:
        memory = {"state": attention.remember(key, value, key_allow=REAL)}
    else:
        memory = {"key": key, "value": value, "key_allow": REAL}
    context, weights, _ = attention(query, allow=allow[:, None], need_weights=True, **memory)
    torch.testing.assert_close(weights[:, 0], expected_weights)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(value)), context)
    agree(context, expected, [query, key, value, *attention.parameters()])


@pytest.mark.parametrize("shape", ["pairs", "row", "column"])
def test_masks_of_every_shape(case, shape):
    query, key, value, _ = case
    allow = tensor([[True, False, True, True, False], [False] * 5, [True] * 5])
    allow = {"pairs": allow, "row": allow[:1], "column": allow[:, 2:3]}[shape]
    attention = make(2)
    expected, _ = loop(attention, query, key, value, allow.expand(2, 3, 5))
    torch.testing.assert_close(attention(query, key, value, allow=allow).context, expected)


def test_a_causal_sequence_agrees_with_a_loop(case, agree):
    _, key, value, _ = case
    attention = make(2)
    earlier = torch.ones(5, 5, dtype=torch.bool).tril().expand(2, 5, 5)
    expected, _ = loop(attention, key, key, value, earlier)
    agree(attention(key, value=value, causal=True).context, expected, [key, value, *attention.parameters()])


def test_a_growing_past_is_read_anew(case):
    _, key, _, _ = case
    attention = make(2)
    state, parts = attention.empty_state(key), []
    for chunk in key.split([1, 2, 2], dim=1):
        context, _, state = attention(chunk, causal=True, state=state)
        parts.append(context)
    torch.testing.assert_close(torch.cat(parts, dim=1), attention(key, causal=True).context)
    torch.testing.assert_close(state.key[:, 0], key)


def test_a_bias_agrees_with_a_loop(case, agree):
    query, key, value, allow = case
    attention = make(2)
    bias = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    expected, _ = loop(attention, query, key, value, allow, bias)
    leaves = [query, key, value, bias, *attention.parameters()]
    agree(attention(query, key, value, allow=allow[:, None], bias=bias).context, expected, leaves)


def test_a_bias_common_to_a_segment_is_felt(case):
    """−10⁴ on both places of the middle segment hides it as a mask would; −5 on every place changes nothing."""
    query, key, _, _ = case
    attention = make(2)
    bias, allow = torch.zeros(3, 5, dtype=torch.float64), torch.ones(3, 5, dtype=torch.bool)
    bias[:, 2:4], allow[:, 2:4] = -1e4, False
    torch.testing.assert_close(attention(query, key, bias=bias).context, attention(query, key, allow=allow).context)
    torch.testing.assert_close(attention(query, key, bias=bias * 0 - 5.0).context, attention(query, key).context)


def test_one_segment_is_the_word_attention_and_segments_of_one_are_the_sentence_attention(case, agree):
    query, key, _, allow = case
    for attention, alone in ((make(5), "word"), (make(1), "sentence")):
        inner = getattr(attention, alone)
        found, expected = (part(query, key, allow=allow[:, None]).context for part in (attention, inner))
        agree(found, expected, [query, key, *inner.parameters()])


def test_nan_in_padding_reaches_nothing(case):
    query, key, _, _ = case
    attention, found = make(2), []
    for garbage in (0.0, math.nan):
        spoilt = key.detach().masked_fill(~REAL[..., None], garbage).requires_grad_()
        context = attention(query, spoilt, key_allow=REAL).context
        found.append((context, *torch.autograd.grad(context.square().sum(), [spoilt, *attention.parameters()])))
    torch.testing.assert_close(*found)
    assert (found[1][1][~REAL] == 0).all()


def test_an_empty_row_reads_zero_with_finite_gradients(case):
    query, key, _, _ = case
    attention = make(2)
    key_allow = REAL & tensor([[True], [False]])
    context, weights, _ = attention(query, key, key_allow=key_allow, need_weights=True)
    assert (context[1] == 0).all()
    assert (weights[1] == 0).all()
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(context.square().sum(), [query, key]))
    assert (attention(query, key[:, :0]).context == 0).all()


def test_inner_attentions_may_project(case):
    query, key, value, _ = case
    attention = make(2, word=CROSS, sentence=CROSS)
    context, weights, _ = attention(query, key, value, need_weights=True)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(value)), context)


def test_three_levels(case):
    """Places into pairs, pairs into fours; the fifth place is a four of its own, which `sentence` alone weighs."""
    query, key, value, _ = case
    attention = make(4, word=partial(HierarchicalAttention, word=ADDITIVE, sentence=ADDITIVE, length=2))
    context, weights, _ = attention(query, key, value, need_weights=True)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(value)), context)
    parts = [attention.word(query, key[:, :4], value[:, :4]).context, value[:, 4:].expand(2, 3, 6)]
    expected = [
        attention.sentence(query[:, q, None], torch.stack([part[:, q] for part in parts], dim=1)) for q in range(3)
    ]
    torch.testing.assert_close(context, torch.cat([output.context for output in expected], dim=1))


def test_refuses_several_heads():
    heads = partial(MultiHeadAttention, heads=2, score=DotProductScore, **PARTS)
    with pytest.raises(ValueError, match=r"`word` and `sentence` must have one head each\. Found 2 and 1: choose"):
        make(2, word=heads)
    with pytest.raises(ValueError, match=r"must have one head each\. Found 1 and 2: choose"):
        make(2, sentence=heads)


@pytest.mark.parametrize("length", [0, -4])
def test_refuses_segments_without_places(length):
    with pytest.raises(ValueError, match=rf"`length` must be a whole number at least 1.* Found {length}\."):
        make(length)


def test_words_that_gather_from_later_ones_cannot_be_causal(case):
    word = partial(SelfAttention, score=DotProductScore, **PARTS)
    attention = make(2, word=word)
    assert attention.mixes_memory
    with pytest.raises(ValueError, match=r"cannot be causal: `word` lets the places of a segment gather from later"):
        attention(case[0], causal=True)
    assert make(2, sentence=word).no_causal == ""
