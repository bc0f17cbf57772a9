"""A weighting that gives more weight to scenes with low validation quality."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from iamm.constraints import NotNegative, ShareBelow1
from iamm.weighting.base import StepLosses, Weighting

LOWEST, HIGHEST = 0.001, 0.999


class ValidationPerformanceWeighting(Weighting):
    """w_i ∝ −(1 − κ_i)^γ log κ_i, Σ w_i = 1: dynamic task prioritization (DTP).

    κ_i is the running mean of scene i's quality q on the validation split (where higher is better, see `Measure`):
    κ ← m κ + (1 − m) q, from the first q on. It is taken as 0.001 to 0.999, so that a scene without any
    success keeps a finite weight and one without failure some. Weights are equal before the first validation, and where
    all scenes are perfect.

    The validation split then steers the training as well as choosing its best epoch: its measures are no longer clean,
    and only those of the test split may be compared.

    Args:
        scenes: S, the number of losses.
        focus: γ ≥ 0; larger leaves less to scenes that do well.
        memory: m in [0, 1), the share of the old mean.

    Raises:
        ValueError: a focus that is negative, a memory outside [0, 1).

    Source: D0 §3.3, weights adjusted by the performance in each scene; Guo et al. 2018, whose weights
    are not normalised and have a γ for each task. The paper's priorities of single examples are not used.
    """

    def __init__(self, scenes: int, *, focus: NotNegative = 1.0, memory: ShareBelow1 = 0.5) -> None:
        super().__init__(scenes)
        self.focus, self.memory = focus, memory
        self.quality: Tensor
        self.register_buffer("quality", torch.full((scenes,), math.nan))  # κ; NaN before the first validation
        self.current: Tensor
        self.register_buffer("current", torch.full((scenes,), 1 / scenes))

    def weights(self, step: StepLosses) -> Tensor:
        return self.current  # (S,)

    @torch.no_grad()
    def end_validation(self, qualities: Tensor) -> None:
        mean = self.memory * self.quality + (1 - self.memory) * qualities  # (S,)
        self.quality.copy_(torch.where(self.quality.isnan(), qualities, mean))
        bounded = self.quality.clamp(LOWEST, HIGHEST)  # (S,)
        priority = (1 - bounded) ** self.focus * -bounded.log()  # (S,)
        self.current.copy_(priority / priority.sum())
