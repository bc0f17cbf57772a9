from __future__ import annotations

import pytest
import torch
from torch import tensor

from iamm.normaliser.sparsemax import SparsemaxNormaliser


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([0.5, 0.25, -1.0], [0.625, 0.375, 0.0]),  # τ = (0.75 − 1)/2 = −0.125
        ([3.0, 1.0, 2.0], [1.0, 0.0, 0.0]),  # a lead of 1 takes all
        ([7.0, 7.0, 7.0, 7.0], [0.25, 0.25, 0.25, 0.25]),
        ([1.0, 0.5, 0.75], [7 / 12, 1 / 12, 1 / 3]),  # τ = (2.25 − 1)/3 = 5/12
    ],
)
def test_by_hand(scores, expected):
    torch.testing.assert_close(SparsemaxNormaliser(1, 1)(tensor(scores), None), tensor(expected))


def test_jacobian_by_hand():
    """Support {0, 1}: [i = j] − 1/2 within it, zero elsewhere."""
    found = torch.autograd.functional.jacobian(lambda s: SparsemaxNormaliser(1, 1)(s, None), tensor([0.5, 0.25, -1.0]))
    torch.testing.assert_close(found, tensor([[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]))


def sparsemax(scores):
    """The one size of support that agrees with itself: all in it lie above τ, none outside."""
    if not scores:
        return []
    ordered = sorted(scores, reverse=True)
    for size in range(1, len(scores) + 1):
        tau = (sum(ordered[:size]) - 1) / size
        if [score for score in ordered if score > tau] == ordered[:size]:
            return [max(score - tau, 0 * score) for score in scores]
    raise AssertionError("no support")


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_agrees_with_a_loop(case, naive_weights, agree, size):
    scores, allow = case
    found = SparsemaxNormaliser(4, 3)(size * scores, allow)
    agree(found, naive_weights(sparsemax, size * scores, allow), [scores])


def test_derivatives_by_differences(case):
    scores = case[0][0, 0, :2].detach().requires_grad_()
    normaliser = SparsemaxNormaliser(1, 1)
    assert torch.autograd.gradcheck(lambda s: normaliser(s, None), scores)
    assert torch.autograd.gradgradcheck(lambda s: normaliser(s, None), scores)


def test_many_places_in_single_precision():
    scores = torch.linspace(0, 1e-3, 2003)
    found, expected = (SparsemaxNormaliser(1, 1)(scores.to(dtype), None) for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(found.sum(), tensor(1.0))
