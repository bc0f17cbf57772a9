"""What tests of several rooms share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor


@pytest.fixture
def agree():
    """Two results are equal, and so are their gradients with respect to `leaves`."""

    def check(found: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
        torch.testing.assert_close(found, expected)
        probe = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
        gradients = [torch.autograd.grad((result * probe).sum(), leaves) for result in (found, expected)]
        torch.testing.assert_close(*gradients)

    return check


@pytest.fixture(autouse=True)
def plain_torch():
    """Building a run settles torch's global switches: put back what a test found."""
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)
