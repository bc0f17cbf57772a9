from __future__ import annotations

import math

import pytest
import torch
from torch import nn, tensor

from iamm.weighting.base import StepLosses
from iamm.weighting.geometric_mean import GeometricMeanWeighting


def test_by_hand(step):
    """L = (2 · 8)^½ = 4: w = 4/(2·2) = 1 and 4/(2·8) = ¼."""
    weights, gradient = step(GeometricMeanWeighting(2), [2.0, 8.0])
    torch.testing.assert_close(weights, tensor([1.0, 0.25], dtype=torch.float64))
    torch.testing.assert_close(gradient, weights)


def test_by_hand_without_a_scene(step):
    """n = 2 of S = 3: the rule for the two, times 2/3."""
    weights, _ = step(GeometricMeanWeighting(3), [2.0, 0.0, 8.0], observed=[True, False, True])
    torch.testing.assert_close(weights, tensor([2 / 3, 0.0, 1 / 6], dtype=torch.float64))


def test_is_the_derivative_of_the_mean(step):
    numbers = [0.3, 1.9, 7.0, 0.02, 1.1]
    losses = [tensor(number, dtype=torch.float64, requires_grad=True) for number in numbers]
    product = losses[0] * losses[1] * losses[2] * losses[3] * losses[4]
    expected = torch.stack(torch.autograd.grad(product ** (1 / 5), losses))
    torch.testing.assert_close(step(GeometricMeanWeighting(5), numbers)[0], expected)


def test_the_unit_of_a_loss_does_not_turn_the_step(shared_step, common):
    """Of three scenes, one in units 1000 times smaller: the gradient is 1000^(1/3) = 10 times as long."""

    def gradient(unit):
        units = tensor([[1.0], [unit], [1.0]], dtype=torch.float64)
        centres = torch.arange(15, dtype=torch.float64).reshape(3, 5).sin()
        made = common(centres, torch.ones_like(centres) * units, torch.full_like(centres[0], 2.0))
        for place, head in enumerate(made.heads):
            nn.init.constant_(head, place)  # where the heads' part of the loss is 0
        return shared_step(GeometricMeanWeighting(3), made)[1]

    torch.testing.assert_close(gradient(1000.0), 10 * gradient(1.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_product_overflows(dtype):
    """Sixty-four losses of 1e8, whose product no float holds: 1/64 each."""
    seen = StepLosses(torch.full((64,), 1e8, dtype=dtype), torch.ones(64, dtype=torch.bool), None)
    torch.testing.assert_close(GeometricMeanWeighting(64).weights(seen), torch.full((64,), 1 / 64, dtype=dtype))


def test_a_loss_of_zero_counts_as_the_smallest(step):
    zero, _ = step(GeometricMeanWeighting(2), [0.0, 1.0])
    torch.testing.assert_close(zero, step(GeometricMeanWeighting(2), [1e-8, 1.0])[0])
    torch.testing.assert_close(zero.tolist(), [math.sqrt(1e8) / 2, math.sqrt(1e-8) / 2])
