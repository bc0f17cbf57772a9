from __future__ import annotations

import pytest
import torch
from torch import tensor

from iamm.normaliser.entmax import EntmaxNormaliser


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([1.6, 1.2, -0.6], [0.64, 0.36, 0.0]),  # halves 0.8, 0.6, −0.3 above τ = 0: 0.64 + 0.36 = 1
        ([19 / 3, 4.0, 19 / 3, 17 / 3], [4 / 9, 0.0, 4 / 9, 1 / 9]),  # halves 2/3, −1/2, 2/3, 1/3 above τ = 5/2
        ([3.0, 1.0, 0.0], [1.0, 0.0, 0.0]),  # a lead of 2 takes all
        ([7.0, 7.0, 7.0, 7.0], [0.25, 0.25, 0.25, 0.25]),
    ],
)
def test_by_hand(scores, expected):
    torch.testing.assert_close(EntmaxNormaliser(1, 1)(tensor(scores), None), tensor(expected))


def test_jacobian_by_hand():
    """Roots r = 0.8, 0.6, 0 with sum 1.4: r_i [i = j] − r_i r_j / 1.4, so 0.8 − 0.64/1.4 = 0.48/1.4 and so on."""
    scores = tensor([1.6, 1.2, -0.6], dtype=torch.float64)
    found = torch.autograd.functional.jacobian(lambda s: EntmaxNormaliser(1, 1)(s, None), scores)
    expected = tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64) * 0.48 / 1.4
    torch.testing.assert_close(found, expected)


def entmax(scores):
    """The one size of support that agrees with itself: all in it lie above τ, none outside."""
    if not scores:
        return []
    ordered = sorted((score / 2 for score in scores), reverse=True)
    for size in range(1, len(scores) + 1):
        mean = sum(ordered[:size]) / size
        spread = sum((score - mean) ** 2 for score in ordered[:size])
        tau = mean - ((1 - spread).clamp(min=0) / size) ** 0.5
        if [score for score in ordered if score > tau] == ordered[:size]:
            return [max(score / 2 - tau, 0 * score) ** 2 for score in scores]
    raise AssertionError("no support")


@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_agrees_with_a_loop(case, naive_weights, agree, size):
    scores, allow = case
    found = EntmaxNormaliser(4, 3)(size * scores, allow)
    agree(found, naive_weights(entmax, size * scores, allow), [scores])


def test_derivatives_by_differences(case):
    scores = case[0][0, 0, :2].detach().requires_grad_()
    normaliser = EntmaxNormaliser(1, 1)
    assert torch.autograd.gradcheck(lambda s: normaliser(s, None), scores)
    assert torch.autograd.gradgradcheck(lambda s: normaliser(s, None), scores)


def test_many_places_in_single_precision():
    scores = torch.linspace(0, 0.1, 2003)
    found, expected = (EntmaxNormaliser(1, 1)(scores.to(dtype), None) for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(found.sum(), tensor(1.0))
