"""Reversal of gradients."""

from __future__ import annotations

import torch

from iamm.reversal import Reversal, strength


def test_the_schedule_by_hand():
    """λ = 2 / (1 + e^(−10 p)) − 1: 0 at first, 0.4621 after a tenth, 0.9866 after a half, nearly 1 at the end."""
    assert [round(strength(progress), 4) for progress in (0.0, 0.1, 0.5, 1.0)] == [0.0, 0.4621, 0.9866, 0.9999]


def test_values_pass_and_gradients_turn_round():
    x = torch.tensor([1.0, -2.0], requires_grad=True)
    y = Reversal.apply(x, 0.3)
    torch.testing.assert_close(y, x)
    (gradient,) = torch.autograd.grad((y * torch.tensor([5.0, 7.0])).sum(), x)
    torch.testing.assert_close(gradient, torch.tensor([-1.5, -2.1]))
