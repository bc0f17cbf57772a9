"""Adam for the few values that a weighting learns without the run's optimizer."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.constraints import NotNegative, Positive


class Adam(Constrained, nn.Module):
    """x_i ← x_i − rate · m̂_i / (√v̂_i + ε): m̂, v̂ are bias-corrected running means of the gradient and its square.

    The state is one buffer, so that a checkpoint of the weighting holds it. Each scene has its own count of steps;
    value, moments and count of a scene that is not observed do not change. The computation uses plain numbers, since
    torch or numpy take several times as long for so few.

    Args:
        size: S, the number of values.
        rate: learning rate (paper: 0.001).
        decay: λ ≥ 0; λx is added to the gradient.
        betas: decay rates of m and v, both in [0, 1) (paper: 0.9 and 0.999).
        epsilon: ε > 0 (paper: 1e-8).

    Raises:
        ValueError: a rate that is not positive, a decay that is negative.

    Source: Kingma and Ba 2015, Algorithm 1.
    """

    def __init__(
        self,
        size: int,
        rate: Positive,
        *,
        decay: NotNegative = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__()
        self.rate, self.decay, self.betas, self.epsilon = rate, decay, betas, epsilon
        self.state: Tensor
        self.register_buffer("state", torch.zeros(3, size))  # m, v and the count of steps

    def move(self, value: Tensor, gradient: Tensor, observed: Tensor | None = None) -> None:
        """Update `value` (S,) in place by `gradient` (S,) where `observed` (S,) is True; None means everywhere."""
        moves = [True] * len(value) if observed is None else observed.tolist()
        numbers = zip(value.tolist(), gradient.tolist(), *self.state.tolist(), strict=True)
        moved = [self.step(*each) if move else (each[0], *each[2:]) for each, move in zip(numbers, moves, strict=True)]
        after, *state = zip(*moved, strict=True)
        value.copy_(torch.from_numpy(np.array(after)))
        self.state.copy_(torch.from_numpy(np.array(state)))

    def step(self, value: float, gradient: float, first: float, second: float, count: float) -> tuple[float, ...]:
        """The value, m, v and the count of one scene after one step."""
        (beta1, beta2), count = self.betas, count + 1
        gradient += self.decay * value
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient * gradient
        mean, power = first / (1 - beta1**count), second / (1 - beta2**count)
        return value - self.rate * mean / (math.sqrt(power) + self.epsilon), first, second, count
