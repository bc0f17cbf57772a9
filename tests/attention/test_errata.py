"""Where the documents are wrong about attention, the right thing is tested here.

D0 §4 is in tests/score/test_dot_product.py and tests/fusion/test_interest_guidance.py.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, tensor
from torch.utils.flop_counter import FlopCounterMode

from iamm.attention import composed
from iamm.attention.multi_head import MultiHeadAttention
from iamm.encoder.base import Features, Pool
from iamm.pattern.segment import SegmentPattern
from iamm.score.dot_product import DotProductScore


def places(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_head_meets_the_same_head_of_other_places(attention_with):
    """D2's code: view(−1, heads, E) mixes batch and time. Here what changes in head 1 moves no weight of head 0, and no
    other example's."""
    attention = attention_with(6, MultiHeadAttention, heads=2)
    with torch.no_grad():
        for layer in (attention.w_q, attention.w_k):
            layer.weight.copy_(torch.eye(6))
    x, other = places(3, 5, 6), places(3, 5, 6)
    other[1, 2, 3:] += 1.0
    before, after = (attention(each, need_weights=True).weights for each in (x, other))
    torch.testing.assert_close(after[:, 0], before[:, 0], rtol=0, atol=0)
    torch.testing.assert_close(after[[0, 2], 1], before[[0, 2], 1], rtol=0, atol=0)
    assert (after[1, 1] - before[1, 1]).abs().max() > 1e-3


def test_scores_are_divided_by_the_root_of_the_width(attention_with):
    """D2's numpy listing divides by the norm of Q: a query twice as long would then ask the same.

    Here log(w₁/w₂), which is (q·k₁ − q·k₂)/√4 = (6 − 2)/2 = 2, doubles with it.
    """
    key = tensor([[[3.0, 0.0, 0.0, 0.0], [1.0, 5.0, 0.0, 0.0]]], dtype=torch.float64)
    query = tensor([[[2.0, 0.0, 0.0, 0.0], [4.0, 0.0, 0.0, 0.0]]], dtype=torch.float64)
    weights = attention_with(4)(query, key, need_weights=True).weights[0, 0]
    torch.testing.assert_close(weights.log().diff(dim=-1).flatten().tolist(), [-2.0, -4.0])


@pytest.fixture
def products(monkeypatch):
    """Multiplications and additions of one pass over so many places, the sum written out: they are counted there."""
    monkeypatch.setattr(composed, "fused_is_faster", lambda *_: False)
    return counted


def counted(attention: torch.nn.Module, length: int, width: int) -> int:
    with FlopCounterMode(display=False) as counter:
        attention(places(1, length, width))
    return counter.get_total_flops()


def test_full_attention_costs_the_square_of_the_length_times_the_width(attention_with, products):
    """D2 §1: "attention lowers O(n²) to O(n)"; D3 part 5: O(n·d²). It is O(n²·d); two products of n·n·d each."""
    narrow, wide = attention_with(8, score=DotProductScore), attention_with(16, score=DotProductScore)
    assert products(narrow, 20, 8) == 2 * (2 * 20 * 20 * 8)
    assert products(narrow, 40, 8) == 4 * products(narrow, 20, 8)
    assert products(wide, 20, 16) == 2 * products(narrow, 20, 8)


def test_only_other_patterns_lower_it(attention_with, products):
    segmented = attention_with(8, score=DotProductScore, pattern=SegmentPattern)
    assert products(segmented, 128, 8) == 2 * products(segmented, 64, 8)


def test_one_score_a_step_and_one_softmax_over_the_steps(attention_with):
    """D3 part 6 takes a softmax over features, D4 §5.2 over the batch; D1 §5.2 attends over a vector without steps.

    A pooled sequence has a weight for each step, and they sum to 1 for each example by itself.
    """
    pool = Pool(6, lambda dim: attention_with(dim)).double()
    states = Features(places(3, 5, 6), torch.ones(3, 5, dtype=torch.bool))
    vector, weights = pool(states, need_weights=True)
    assert vector.shape == (3, 6)
    assert weights.shape == (3, 1, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 1, dtype=torch.float64))
    alone, own = pool(Features(states.values[:1], states.allow[:1]), need_weights=True)
    torch.testing.assert_close((alone, own), (vector[:1], weights[:1]))


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_pooled_vector_is_the_weighted_sum(attention_with, scale):
    """D4 §3 computes the weights from the pooled vector and that from the weights.

    In order: e_j = qᵀx_j = ln 3, 0; α = 3/4, 1/4; x̃ = 3/4 x₁ + 1/4 x₂. Values of another scale change x̃ alone.
    """
    x = tensor([[[math.log(3), 4.0], [0.0, 8.0]]], dtype=torch.float64)
    context, weights, _ = attention_with(2, score=DotProductScore)(
        tensor([[[1.0, 0.0]]], dtype=torch.float64), x, scale * x, need_weights=True
    )
    torch.testing.assert_close(weights.flatten().tolist(), [0.75, 0.25])
    torch.testing.assert_close(context.flatten().tolist(), [scale * 0.75 * math.log(3), scale * 5.0])
