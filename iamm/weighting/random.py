"""A weighting with weights drawn anew in each step."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.constraints import Seed
from iamm.weighting.base import StepLosses, Weighting
from iamm.weighting.draws import Draws

AHEAD = 128
"""Steps whose weights are drawn together, since a new generator takes most of the time."""


class RandomWeighting(Weighting):
    """w = softmax(ε), ε_i standard normal, drawn anew in each optimizer step: random loss weighting (RLW).

    The weights are 1/S on average, so a rule that is no better gains nothing from its weights. Accumulated batches and
    several processes have the same weights, which depend on the seed and the number of the step.

    Args:
        scenes: S, the number of losses.
        seed: of the run.

    Source: Lin et al. 2022, of whose distributions this is the normal one.
    """

    def __init__(self, scenes: int, *, seed: Seed) -> None:
        super().__init__(scenes)
        self.draws = Draws(seed)
        self.ahead: Tensor
        self.register_buffer("ahead", torch.full((AHEAD, scenes), 1 / scenes))
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))  # done

    def weights(self, step: StepLosses) -> Tensor:
        steps = int(self.steps)
        if steps == AHEAD * int(self.draws.taken):
            noise = torch.from_numpy(self.draws.generator().standard_normal((AHEAD, self.scenes)))
            self.ahead.copy_(torch.softmax(noise, dim=1))
        return self.ahead[steps % AHEAD]  # (S,)

    def finish(self) -> Tensor:
        self.steps += 1
        return super().finish()
