"""Three scenes with 2, 3 and 5 places; a and b are views of the same four instances, c stands apart."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, tensor

from iamm.encoder.base import Features

PLACES = {"a": 2, "b": 3, "c": 5}
REAL = {
    "a": tensor([[True, True], [True, False], [False, False], [False, False]]),
    "b": tensor([[True, True, False], [False, False, False], [True, True, True], [False, False, False]]),
    "c": tensor([[True] * 5, [False] * 5, [True, False, False, False, False], [True, True, True, False, False]]),
}


@pytest.fixture
def features():
    """Names and D → features in float64, with graph. Row 0 has a and b, row 1 only a, row 2 only b, row 3 neither."""

    def make(names: str, dim: int) -> dict[str, Features]:
        generator = torch.Generator().manual_seed(1)
        values = {
            name: torch.randn(4, places, dim, generator=generator, dtype=torch.float64)
            for name, places in PLACES.items()
        }
        return {name: Features(values[name].requires_grad_(), REAL[name]) for name in names}

    return make


@pytest.fixture
def agree():
    """Two results are equal, and so are their gradients with respect to `leaves`."""

    def check(found: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
        torch.testing.assert_close(found, expected)
        probe = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
        gradients = [
            torch.autograd.grad(
                (result * probe).sum(), leaves, allow_unused=True, materialize_grads=True, retain_graph=True
            )
            for result in (found, expected)
        ]
        torch.testing.assert_close(*gradients)

    return check
