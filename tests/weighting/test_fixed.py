from __future__ import annotations

import math

import pytest
import torch
from torch import nn, tensor

from iamm.weighting.base import Paths
from iamm.weighting.fixed import FixedWeighting


def test_by_hand():
    """L = 2·3x + 0·x³ + 0.5·x² at x = 2: 6 + 0 + 2 = 8; the weights are taken as they stand."""
    x, weighting = nn.Parameter(tensor(2.0)), FixedWeighting(3, values=[2.0, 0.0, 0.5])
    paths = Paths([x] * 3, [x], [()] * 3, [x], ())
    weighting.backward([3 * x, x**3, x**2], observed=tensor([True, True, True]), paths=paths)
    torch.testing.assert_close(weighting.finish(), tensor([2.0, 0.0, 0.5]))
    torch.testing.assert_close(x.grad, tensor(8.0))


def test_refuses_another_number_of_weights():
    with pytest.raises(
        ValueError, match=r"`values` must hold one number for each scene\. Found 2 for 3: \[0\.5, 0\.5\]"
    ):
        FixedWeighting(3, values=[0.5, 0.5])


@pytest.mark.parametrize("values", [[-0.1, 1.0], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_refuses_weights_that_are_none(values):
    with pytest.raises(ValueError, match=r"`values` must (have one above 0|be a list, .* at least 0)\. Found \["):
        FixedWeighting(2, values=values)
