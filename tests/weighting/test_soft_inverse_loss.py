from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.weighting.soft_inverse_loss import SoftInverseLossWeighting


def test_by_hand(step):
    """1/L = (2, 1), τ = 1/ln 3: (2 ln 3, ln 3), so w = 9 : 3 = (¾, ¼)."""
    weights, gradient = step(SoftInverseLossWeighting(2, temperature=1 / math.log(3)), [0.5, 1.0])
    torch.testing.assert_close(weights, tensor([0.75, 0.25], dtype=torch.float64))
    torch.testing.assert_close(gradient, weights)


def test_by_hand_without_a_scene(step):
    """n = 2 of S = 3: two thirds of the above."""
    weighting = SoftInverseLossWeighting(3, temperature=1 / math.log(3))
    weights, _ = step(weighting, [0.5, 0.0, 1.0], observed=[True, False, True])
    torch.testing.assert_close(weights, tensor([0.5, 0.0, 1 / 6], dtype=torch.float64))


@pytest.mark.parametrize("temperature", [0.5, 7.0])
def test_agrees_with_a_loop(step, temperature):
    losses = [0.3, 1.9, 7.0, 0.2, 1.1]
    powers = [math.exp(1 / loss / temperature) for loss in losses]
    found = step(SoftInverseLossWeighting(5, temperature=temperature), losses)[0].tolist()
    torch.testing.assert_close(found, [power / sum(powers) for power in powers])


def test_a_high_temperature_is_equal_and_a_low_one_the_smallest_alone(step):
    losses = [0.3, 1.9, 0.2]
    torch.testing.assert_close(step(SoftInverseLossWeighting(3, temperature=1e12), losses)[0].tolist(), [1 / 3] * 3)
    assert step(SoftInverseLossWeighting(3, temperature=1e-3), losses)[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("tiny", [0.0, 1e-30, 1e-9])
def test_losses_near_zero_count_as_the_smallest(step, tiny):
    """Two of them share all."""
    assert step(SoftInverseLossWeighting(3), [tiny, 1.0, tiny])[0].tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(ValueError, match=r"`temperature` must be a number above 0\. Found"):
        SoftInverseLossWeighting(2, temperature=temperature)
