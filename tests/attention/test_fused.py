from __future__ import annotations

import pytest
import torch
from torch import tensor

from iamm.attention import composed
from iamm.attention.fused import fused_is_faster
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

REAL = tensor([[True] * 11, [True] * 4 + [False] * 7, [False] * 11])


def shapes(queries: int, keys: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(1, 1, queries, width), torch.zeros(1, 1, keys, width)


@pytest.mark.parametrize(
    ("queries", "keys", "width", "masked", "fused"),
    [
        (32, 32, 16, False, False),
        (64, 64, 16, False, True),
        (128, 128, 64, False, False),
        (47, 47, 8, True, False),
        (48, 48, 64, True, True),
        (63, 63, 8, False, False),
        (4, 512, 16, True, False),
        (1, 14, 16, False, True),
        (1, 512, 16, False, False),
        (1, 9, 1, False, False),
    ],
)
def test_the_choice_is_by_shape_alone(queries, keys, width, masked, fused):
    assert fused_is_faster(*shapes(queries, keys, width), masked) == fused


@pytest.mark.parametrize("score", [DotProductScore, ScaledDotProductScore])
@pytest.mark.parametrize("words", [{}, {"key_allow": REAL}, {"causal": True}, {"key_allow": REAL, "causal": True}])
def test_both_ways_give_the_same(monkeypatch, agree, attention_with, score, words):
    attention = attention_with(6, score=score)
    places = torch.randn(3, 11, 6, dtype=torch.float64, requires_grad=True)
    found = []
    for fused in (True, False):
        monkeypatch.setattr(composed, "fused_is_faster", lambda *_, fused=fused: fused)
        found.append(attention(places, **words).context)
    agree(*found, [places])
    assert "key_allow" not in words or (found[0][2] == 0).all()


def test_the_fused_kernel_is_taken_for_a_plain_softmax_only(monkeypatch, attention_with):
    monkeypatch.setattr(composed, "fused_is_faster", lambda *_: True)
    calls = []
    kernel = torch.nn.functional.scaled_dot_product_attention

    def counted(*words, **more):
        calls.append(1)
        return kernel(*words, **more)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    attention, dropping = attention_with(6), attention_with(6, dropout=0.5)
    places = torch.randn(2, 5, 6, dtype=torch.float64)
    attention(places)
    assert len(calls) == 1
    attention(places, need_weights=True)
    attention(places, bias=torch.zeros(5, 5, dtype=torch.float64))
    dropping(places)
    assert len(calls) == 1
    dropping.eval()(places)
    assert len(calls) == 2


def test_both_ways_hold_large_numbers_in_half_precision(attention_with):
    """64 products of 40·40 are 102,400: more than float16 can tell."""
    attention = attention_with(64, score=DotProductScore).half()
    places = torch.full((1, 3, 64), 40.0, dtype=torch.float16)
    for need_weights in (False, True):
        assert attention(places, need_weights=need_weights).context.isfinite().all()


@pytest.mark.parametrize("words", [{}, {"key_allow": REAL}, {"causal": True}, {"key_allow": REAL, "causal": True}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_slopes_to_be_differentiated_again_are_those_of_the_kernel(monkeypatch, attention_with, words, dtype):
    monkeypatch.setattr(composed, "fused_is_faster", lambda *_: True)
    attention = attention_with(6).float()
    places = torch.randn(3, 11, 6, requires_grad=True)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
        context = attention(places, **words).context
    probe = torch.linspace(-1, 1, context.numel(), dtype=context.dtype).view_as(context)
    written, kernel = (
        torch.autograd.grad((context * probe).sum(), places, create_graph=again, retain_graph=True)[0]
        for again in (True, False)
    )
    assert written.requires_grad
    margin = 1e-6 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(written, kernel, atol=margin, rtol=margin)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
def test_slopes_of_each_example(monkeypatch, attention_with):
    """vmap over grad, as per-example gradients are taken, against one example at a time."""
    monkeypatch.setattr(composed, "fused_is_faster", lambda *_: True)
    attention = attention_with(6)
    places = torch.randn(3, 1, 11, 6, dtype=torch.float64)

    def total(each):
        return attention(each).context.square().sum()

    found = torch.func.vmap(torch.func.grad(total))(places)
    torch.testing.assert_close(found, torch.stack([torch.func.grad(total)(each) for each in places]))
