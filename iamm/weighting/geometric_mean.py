"""A weighting that minimises the geometric mean of the losses."""

from __future__ import annotations

import math

from torch import Tensor

from iamm.weighting.base import StepLosses, Weighting

SMALLEST = 1e-8


class GeometricMeanWeighting(Weighting):
    """L = (Π_i L_i)^(1/S), w_i = ∂L/∂L_i = L / (S L_i): geometric loss strategy (GLS).

    Every scene counts by the relative change of its loss: a loss in another unit, c L_i, changes the length of the
    step (c^(1/S)) and not its direction. The weights are not normalised; equal losses give 1/S each. It is computed
    from the logarithms, so that no product overflows. A loss below 1e-8 counts as 1e-8.

    Args:
        scenes: S, the number of losses; all of them positive.

    Source: Chennupati et al. 2019 (MultiNet++), geometric loss strategy.
    """

    follows_step = True

    def weights(self, step: StepLosses) -> Tensor:
        logs = [math.log(max(loss, SMALLEST)) for loss in step.losses.tolist()]
        observed_logs = [log for log, observed in zip(logs, step.observed.tolist(), strict=True) if observed]
        mean = sum(observed_logs) / max(len(observed_logs), 1)  # log L
        return step.losses.new_tensor([math.exp(mean - log) / self.scenes for log in logs])  # (S,)
