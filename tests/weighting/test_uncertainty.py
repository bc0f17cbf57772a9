from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.weighting.uncertainty import UncertaintyWeighting


def test_by_hand(step):
    """s = (0, ln 4), L = (3, 8): w = (1/2, 1/8); ∂/∂s = ½ − ½e^(−s)·L = ½ − 3/2 = −1 and ½ − 8/8 = −½."""
    weighting = UncertaintyWeighting(2).double()
    with torch.no_grad():
        weighting.log_variance.copy_(tensor([0.0, math.log(4)]))
    weights, gradient = step(weighting, [3.0, 8.0])
    torch.testing.assert_close(weights, tensor([0.5, 0.125], dtype=torch.float64))
    torch.testing.assert_close(gradient, weights)
    torch.testing.assert_close(weighting.log_variance.grad, tensor([-1.0, -0.5], dtype=torch.float64))


def test_agrees_with_a_loop(step):
    weighting = UncertaintyWeighting(5).double()
    start, losses = [-1.0, -0.3, 0.2, 0.7, 2.0], [0.1, 2.0, 0.0, 4.0, 7.0]
    with torch.no_grad():
        weighting.log_variance.copy_(tensor(start))
    s = [tensor(x).double().requires_grad_() for x in weighting.log_variance.tolist()]
    total = sum(torch.exp(-s_i) / 2 * loss + s_i / 2 for s_i, loss in zip(s, losses, strict=True))
    expected = torch.stack(torch.autograd.grad(total, s))
    step(weighting, losses)
    torch.testing.assert_close(weighting.log_variance.grad, expected)


def test_starts_at_one_half():
    assert UncertaintyWeighting(3).log_variance.tolist() == [0.0, 0.0, 0.0]


def test_settles_where_the_variance_is_the_loss(step):
    """The minimum of ½e^(−s)·L + ½s lies at s = ln L, where w = 1/(2L)."""
    weighting = UncertaintyWeighting(2).double()
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        weights, _ = step(weighting, [0.5, 3.0])
        optimizer.step()
    torch.testing.assert_close(weighting.log_variance.exp(), tensor([0.5, 3.0], dtype=torch.float64))
    torch.testing.assert_close(weights, tensor([1.0, 1 / 6], dtype=torch.float64))
