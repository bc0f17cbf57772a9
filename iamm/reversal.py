"""Reversal of gradients, by which features learn to hide what a discriminator reads from them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class Reversal(torch.autograd.Function):
    """x forwards, −λ times the gradient backwards (Ganin and Lempitsky 2015, eqs. 7 and 8)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def strength(progress: float) -> float:
    """λ = 2 / (1 + e^(−10 p)) − 1, with p in [0, 1] the progress of training (Ganin and Lempitsky 2015, §4)."""
    return 2 / (1 + math.exp(-10 * progress)) - 1
