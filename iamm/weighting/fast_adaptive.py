"""A weighting that makes all losses fall at the same relative rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from iamm.constraints import NotNegative, Positive
from iamm.weighting.adam import Adam
from iamm.weighting.base import StepLosses, Weighting
from iamm.weighting.observed_softmax import observed_softmax, observed_weights

SMALLEST = 1e-8


class FastAdaptiveWeighting(Weighting):
    """L = c Σ_i z_i log L_i, z = softmax(ξ), c = 1 / Σ_i z_i/L_i; so w_i = c z_i/L_i, which sum to 1 (FAMO).

    ξ learns where the logarithm fell least: it is moved by Adam along δ + γξ, δ = Jᵀ (log L(t) − log L(t+1)), J the
    derivative of the softmax. L(t+1) is the loss of the next step's batch, as in Algorithm 1, where the authors' code
    takes a second forward pass on the same batch (half a step's cost more): the noise of two batches is part of δ, but
    as each log L(t) enters once with + and once with −, it cancels over the steps.

    A scene that one of two successive steps did not observe keeps its ξ and its moments; J is then of the others'
    softmax. A loss below 1e-8 counts as 1e-8.

    Args:
        scenes: S, the number of losses; all of them positive.
        rate: learning rate of ξ (paper: 0.025).
        decay: γ ≥ 0, draws ξ to 0, equal z (paper: 0.001).

    Raises:
        ValueError: a rate that is not positive, a decay that is negative.

    Source: Liu et al. 2023, Algorithm 1; Adam in place of its plain step is the authors' code.
    """

    follows_step = True

    def __init__(self, scenes: int, *, rate: Positive = 0.025, decay: NotNegative = 0.001) -> None:
        super().__init__(scenes)
        self.adam = Adam(scenes, rate, decay=decay)
        self.logits: Tensor
        self.register_buffer("logits", torch.zeros(scenes))  # ξ
        self.last: Tensor
        self.register_buffer("last", torch.full((scenes,), math.nan))  # log L of the step before; NaN: not observed

    def weights(self, step: StepLosses) -> Tensor:
        observed = step.observed.tolist()
        logs = [
            math.log(max(loss, SMALLEST)) if present else math.nan
            for loss, present in zip(step.losses.tolist(), observed, strict=True)
        ]
        self.learn(logs)
        self.last.copy_(self.last.new_tensor(logs))
        scores = [logit - log for logit, log in zip(self.logits.tolist(), logs, strict=True)]
        return step.losses.new_tensor(observed_weights(scores, observed))  # (S,)

    def learn(self, logs: Sequence[float]) -> None:
        """Update ξ by the change of the losses since the last step; z still is that of the last step."""
        falls = [before - now for before, now in zip(self.last.tolist(), logs, strict=True)]
        both = [not math.isnan(fall) for fall in falls]  # observed in either step
        z = observed_softmax(self.logits.tolist(), both)
        mean = sum(share * fall for share, fall in zip(z, falls, strict=True) if share)
        slope = [share * (fall - mean) if share else 0.0 for share, fall in zip(z, falls, strict=True)]
        self.adam.move(self.logits, self.logits.new_tensor(slope), torch.tensor(both))
