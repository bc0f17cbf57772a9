from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.weighting.base import Paths
from iamm.weighting.equal import EqualWeighting


def test_by_hand(step):
    """Four scenes: a quarter each, however large their losses."""
    weights, gradient = step(EqualWeighting(4), [1.0, 20.0, 0.0, 3.0])
    torch.testing.assert_close(weights, torch.full((4,), 0.25, dtype=torch.float64))
    torch.testing.assert_close(gradient, weights)


def test_the_gradient_of_a_shared_parameter_is_the_mean_of_the_scenes():
    """L = (3x + x²)/2 at x = 2: 3/2 + 2 = 3.5."""
    x, weighting = nn.Parameter(tensor(2.0)), EqualWeighting(2)
    paths = Paths([x, x], [x], [(), ()], [x], ())
    weighting.backward([3 * x, x**2], observed=tensor([True, True]), paths=paths)
    torch.testing.assert_close(weighting.finish(), tensor([0.5, 0.5]))
    torch.testing.assert_close(x.grad, tensor(3.5))
