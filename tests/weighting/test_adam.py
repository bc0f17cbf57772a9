from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from torch import nn, tensor

from iamm.weighting.adam import Adam

SCENES = 5


def gradients(steps):
    drawn = torch.randn(steps, SCENES, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return drawn * tensor([1e-6, 1.0, 30.0, 1e4, 0.0])


def start():
    return torch.linspace(-1, 2, SCENES, dtype=torch.float64)


def test_by_hand():
    """At the first step m̂ = g and v̂ = g², so that x moves by rate · g/(|g| + ε) = 0.1 · 2/(2 + 0.5) = 0.08."""
    value = tensor([1.0])
    Adam(1, 0.1, epsilon=0.5).move(value, tensor([2.0]))
    torch.testing.assert_close(value, tensor([0.92]))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_each_step_is_that_of_torch(decay):
    value, other = start(), nn.Parameter(start())
    adam = Adam(SCENES, 0.025, decay=decay).double()
    optimizer = torch.optim.Adam([other], lr=0.025, weight_decay=decay)
    for gradient in gradients(60):
        adam.move(value, gradient)
        other.grad = gradient.clone()
        optimizer.step()
        torch.testing.assert_close(value, other.data, rtol=1e-12, atol=1e-14)


def test_scenes_out_of_sight_stand_still_as_parameters_without_a_gradient_do():
    value, others = start(), [nn.Parameter(x.clone()) for x in start()]
    adam = Adam(SCENES, 0.025, decay=0.1).double()
    optimizer = torch.optim.Adam(others, lr=0.025, weight_decay=0.1)
    observed = torch.rand(60, SCENES, generator=torch.Generator().manual_seed(5)) < 0.5
    for gradient, seen in zip(gradients(60), observed, strict=True):
        adam.move(value, torch.where(seen, gradient, math.nan), seen)
        for other, slope, present in zip(others, gradient, seen, strict=True):
            other.grad = slope.clone() if present else None
        optimizer.step()
        torch.testing.assert_close(value, torch.stack([*others]).detach(), rtol=1e-12, atol=1e-14)
    assert adam.state[2].tolist() == observed.sum(dim=0).tolist()


def test_a_saved_state_goes_on_to_the_same_bits():
    value, adam = start(), Adam(SCENES, 0.3).double()
    for gradient in gradients(3):
        adam.move(value, gradient)
    loaded, copied = Adam(SCENES, 0.3).double(), value.clone()
    loaded.load_state_dict(deepcopy(adam.state_dict()), strict=True)
    for gradient in gradients(7):
        adam.move(value, gradient)
        loaded.move(copied, gradient)
    torch.testing.assert_close(copied, value, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "bad"), [("rate", 0.0), ("rate", math.nan), ("decay", -1.0)])
def test_refuses_numbers_out_of_range(name, bad):
    with pytest.raises(ValueError, match=rf"`{name}` must be a number (above|at least) 0\. Found"):
        Adam(2, **{"rate": 0.1, name: bad})
