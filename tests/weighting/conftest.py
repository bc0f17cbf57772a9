from __future__ import annotations

import pytest
import torch


@pytest.fixture
def step():
    """One backward pass for given losses; gives the applied weights and ∂L/∂L_i by autograd."""

    def run(weighting, numbers, observed=None, **given):
        losses = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
        seen = torch.ones(len(numbers), dtype=torch.bool) if observed is None else torch.tensor(observed)
        weights = weighting.backward(losses, observed=seen, **given)
        return weights, losses.grad

    return run
