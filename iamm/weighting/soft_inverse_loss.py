"""A weighting that gives more weight to smaller losses, by a softmax."""

from __future__ import annotations

from torch import Tensor

from iamm.constraints import Positive
from iamm.weighting.base import StepLosses, Weighting
from iamm.weighting.observed_softmax import observed_weights

SMALLEST = 1e-8


class SoftInverseLossWeighting(Weighting):
    """w = softmax(1 / (τ L)): soft optimal uncertainty weighting (UW-SO).

    1/L_i is what uncertainty weighting tends to, found here at once; the softmax normalises it. The result depends on
    the unit of the losses, which τ must fit: where losses fall far below 1/τ, the smallest takes nearly all. A loss
    below 1e-8 counts as 1e-8.

    Args:
        scenes: S, the number of losses; all of them positive.
        temperature: τ > 0; larger is nearer to equal weights (the paper tunes it for each data set).

    Raises:
        ValueError: a temperature that is not positive.

    Source: Kirchdorfer et al. 2024, "Analytical Uncertainty-Based Loss Weighting in Multi-Task Learning".
    """

    follows_step = True

    def __init__(self, scenes: int, *, temperature: Positive = 1.0) -> None:
        super().__init__(scenes)
        self.temperature = temperature

    def weights(self, step: StepLosses) -> Tensor:
        scores = [1 / max(loss, SMALLEST) / self.temperature for loss in step.losses.tolist()]
        return step.losses.new_tensor(observed_weights(scores, step.observed.tolist()))  # (S,)
