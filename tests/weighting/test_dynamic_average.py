from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.weighting.dynamic_average import DynamicAverageWeighting


def applied(step, epochs, **own):
    weighting = DynamicAverageWeighting(len(epochs[0]), **own).double()
    for losses in epochs:
        weighting.end_epoch(tensor(losses, dtype=torch.float64))
    return step(weighting, [1.0] * len(epochs[0]))[0].tolist()


def test_by_hand(step):
    """r = (1/2, 2/2 = 1), T = 1/(2 ln 3): r/T = (ln 3, 2 ln 3), so w = 3 : 9 = (1/4, 3/4)."""
    found = applied(step, [[4.0, 2.0], [2.0, 2.0]], temperature=1 / (2 * math.log(3)))
    torch.testing.assert_close(found, [0.25, 0.75])


def test_first_two_epochs_are_equal(step):
    weighting = DynamicAverageWeighting(2).double()
    half = tensor([0.5, 0.5], dtype=torch.float64)
    torch.testing.assert_close(step(weighting, [5.0, 1.0])[0], half)
    weighting.end_epoch(tensor([5.0, 1.0]))
    torch.testing.assert_close(step(weighting, [5.0, 1.0])[0], half)
    weighting.end_epoch(tensor([1.0, 1.0]))
    assert step(weighting, [5.0, 1.0])[0][1] > 0.59


def test_agrees_with_a_loop_over_the_last_two_epochs(step):
    epochs = [[9.0, 9.0, 9.0], [3.0, 0.7, 2.0], [2.0, 0.6, 2.5]]
    powers = [math.exp(now / before / 2.0) for before, now in zip(epochs[1], epochs[2], strict=True)]
    torch.testing.assert_close(applied(step, epochs), [power / sum(powers) for power in powers])


@pytest.mark.parametrize("unknown", [0.0, math.nan, math.inf])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_rate_that_is_not_known_counts_as_standing_still(step, unknown, epoch):
    epochs = [[4.0, 1.0], [2.0, 1.0]]
    expected = applied(step, epochs)
    epochs[epoch][1] = unknown
    torch.testing.assert_close(applied(step, epochs), expected)


def test_a_scene_that_comes_back_is_followed_again(step):
    lost = [[8.0, 8.0], [4.0, 0.0], [2.0, 3.0], [2.0, 6.0]]
    torch.testing.assert_close(applied(step, lost), applied(step, lost[2:]))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_refuses_a_temperature_that_is_not_positive(temperature):
    with pytest.raises(ValueError, match=r"`temperature` must be a number above 0\. Found"):
        DynamicAverageWeighting(2, temperature=temperature)
