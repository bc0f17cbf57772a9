from __future__ import annotations

import math

import pytest
import torch
from torch import nn, tensor

from iamm.weighting.base import Paths
from iamm.weighting.equal import EqualWeighting
from iamm.weighting.smooth_tchebycheff import SmoothTchebycheffWeighting


def test_by_hand(step):
    """L − z = (ln 3, 0), μ = ½: w = 9 : 1."""
    rule = SmoothTchebycheffWeighting(2, smoothing=0.5, reference=[0.0, 1.0]).double()
    weights, gradient = step(rule, [math.log(3), 1.0])
    torch.testing.assert_close(weights, tensor([0.9, 0.1], dtype=torch.float64))
    torch.testing.assert_close(gradient, weights)


def test_by_hand_without_a_scene(step):
    """n = 2 of S = 3: two thirds of the above, though the third would be the worst."""
    rule = SmoothTchebycheffWeighting(3, smoothing=0.5, reference=[0.0, -9.0, 1.0]).double()
    weights, _ = step(rule, [math.log(3), 0.0, 1.0], observed=[True, False, True])
    torch.testing.assert_close(weights.tolist(), [0.6, 0.0, 0.2 / 3])


@pytest.mark.parametrize("smoothing", [0.3, 5.0])
def test_is_the_derivative_of_the_formula(step, smoothing):
    losses = tensor([0.3, 1.9, 3.0, 0.02, 1.1], dtype=torch.float64, requires_grad=True)
    best = tensor([0.125, 0.25, 0.0, 0.0, -0.5], dtype=torch.float64)
    (smoothing * torch.exp((losses - best) / smoothing).sum().log()).backward()
    rule = SmoothTchebycheffWeighting(5, smoothing=smoothing, reference=best.tolist()).double()
    found, _ = step(rule, losses.tolist())
    torch.testing.assert_close(found, losses.grad)


def test_from_equal_weights_to_the_worst_scene_alone(step):
    """μ → ∞ and μ → 0; two scenes equally bad share."""
    losses = [0.3, 1.9, 0.2, 1.9]
    torch.testing.assert_close(step(SmoothTchebycheffWeighting(4, smoothing=1e12), losses)[0].tolist(), [0.25] * 4)
    assert step(SmoothTchebycheffWeighting(4, smoothing=1e-6), losses)[0].tolist() == [0, 0.5, 0, 0.5]


def test_only_differences_count(step):
    rule = SmoothTchebycheffWeighting(3).double()
    weights, _ = step(rule, [0.3, 1.9, 0.2])
    torch.testing.assert_close(step(rule, [1000.3, 1001.9, 1000.2])[0], weights)


def end_of_descent(rule):
    """Where x settles from 0.3 on, for L = 1 − exp(−(x ∓ 1)²), whose Pareto front is not convex."""
    x = nn.Parameter(tensor(0.3, dtype=torch.float64))
    optimizer = torch.optim.SGD([x], lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        z = x * 1.0
        losses = [1 - torch.exp(-((z - 1) ** 2)), 1 - torch.exp(-((z + 1) ** 2))]
        rule.backward(losses, observed=tensor([True, True]), paths=Paths([z, z], [z], [(), ()], [x], ()))
        rule.finish()
        optimizer.step()
    return x.item()


def test_reaches_a_point_of_a_front_that_is_not_convex():
    """The middle, where both scenes do as well; equal weights leave it for one of the ends."""
    torch.testing.assert_close(end_of_descent(SmoothTchebycheffWeighting(2, smoothing=0.05)), 0.0)
    assert end_of_descent(EqualWeighting(2)) > 0.9


@pytest.mark.parametrize("smoothing", [0.0, -1.0, math.nan])
def test_refuses_a_smoothing_that_is_not_positive(smoothing):
    with pytest.raises(ValueError, match=r"`smoothing` must be a number above 0\. Found"):
        SmoothTchebycheffWeighting(2, smoothing=smoothing)


@pytest.mark.parametrize("reference", [[0.1], [0.1, math.nan], [0.1, math.inf]])
def test_refuses_references_that_are_none(reference):
    with pytest.raises(
        ValueError,
        match=r"`reference` must (hold one number for each|be a list, each of them a number).* Found (1 for 2|\[)",
    ):
        SmoothTchebycheffWeighting(2, reference=reference)
