from __future__ import annotations

import pytest
import torch
from torch import tensor

from iamm.normaliser.sum import SumNormaliser
from iamm.score.kernel import KernelScore


def test_by_hand():
    scores = tensor([[1.0, 3.0, 4.0], [1.0, 3.0, 4.0], [0.0, 0.0, 0.0]])
    allow = tensor([[True, True, True], [True, True, False], [True, True, True]])
    expected = tensor([[0.125, 0.375, 0.5], [0.25, 0.75, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(SumNormaliser(1, 1)(scores, allow), expected)


def test_agrees_with_a_loop(case, naive_weights, agree):
    scores, allow = case
    positive = scores.detach().square().requires_grad_()
    found = SumNormaliser(4, 3)(positive, allow)
    agree(found, naive_weights(lambda seen: [s / sum(seen) for s in seen], positive, allow), [positive])


def test_a_row_of_zeros_has_finite_gradients():
    scores = torch.zeros(2, 3, requires_grad=True)
    SumNormaliser(1, 1)(scores, tensor([True, True, False])).square().sum().backward()
    torch.testing.assert_close(scores.grad, torch.zeros(2, 3))


def test_scores_below_zero_are_refused_when_built(attention_with):
    attention_with(6, score=KernelScore, normaliser=SumNormaliser)
    with pytest.raises(ValueError, match=r"never below zero\. Found ScaledDotProductScore: choose another score"):
        attention_with(6, normaliser=SumNormaliser)
