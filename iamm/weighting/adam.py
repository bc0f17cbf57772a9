"""Adam for the few numbers that a weighting learns by itself."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.constraints import NotNegative, Positive


class Adam(Constrained, nn.Module):
    """x_i ← x_i − rate · m̂_i / (√v̂_i + ε): m̂, v̂ are running means of the gradient and its square, free of their start.

    The whole state lies in one buffer, so that a checkpoint of the weighting holds it. Each scene has its own count of
    steps: one that is not observed stands still, its value, moments and count alike, whatever its gradient says. It is
    computed in plain numbers: so few take torch's own, or numpy, several times as long.

    Args:
        size: S, how many numbers there are.
        rate: learning rate (paper: 0.001).
        decay: λ ≥ 0; λx is added to the gradient.
        betas: how much of m and v stays at each step, both in [0, 1) (paper: 0.9 and 0.999).
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
        """One step of `value` (S,) in place against `gradient` (S,), where `observed` (S,) bool; None: everywhere."""
        seen = [True] * len(value) if observed is None else observed.tolist()
        numbers = zip(value.tolist(), gradient.tolist(), *self.state.tolist(), strict=True)
        moved = [self.step(*each) if here else (each[0], *each[2:]) for each, here in zip(numbers, seen, strict=True)]
        after, *state = zip(*moved, strict=True)
        value.copy_(torch.from_numpy(np.array(after)))
        self.state.copy_(torch.from_numpy(np.array(state)))

    def step(self, value: float, gradient: float, first: float, second: float, count: float) -> tuple[float, ...]:
        """x, m, v and the count of one scene, a step later."""
        (stay, stay_squared), count = self.betas, count + 1
        gradient += self.decay * value
        first = stay * first + (1 - stay) * gradient
        second = stay_squared * second + (1 - stay_squared) * gradient * gradient
        mean, power = first / (1 - stay**count), second / (1 - stay_squared**count)
        return value - self.rate * mean / (math.sqrt(power) + self.epsilon), first, second, count
