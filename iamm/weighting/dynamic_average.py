"""A weighting by the rate at which each scene's loss falls."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.constraints import Positive
from iamm.weighting.base import StepLosses, Weighting


class DynamicAverageWeighting(Weighting):
    """w = softmax(r / T), r_i = L_i(e−1) / L_i(e−2): dynamic weight average (DWA).

    L_i(e) is scene i's mean training loss in epoch e: a scene whose loss falls slowly weighs more. A scene without a
    known rate has r_i = 1, as if its loss stood still; so has every scene in the first two epochs, whose weights are
    hence equal. A rate is unknown where one of the two losses is not a positive finite number, as of a scene that an
    epoch did not observe.

    Args:
        scenes: S, the number of losses.
        temperature: T > 0; larger is nearer to equal weights (paper: 2).

    Raises:
        ValueError: a temperature that is not positive.

    Source: Liu, Johns and Davison 2019, eq. 7. The paper's weights sum to S, ours to 1.
    """

    def __init__(self, scenes: int, *, temperature: Positive = 2.0) -> None:
        super().__init__(scenes)
        self.temperature = temperature
        self.history: Tensor
        self.register_buffer("history", torch.zeros(2, scenes))  # the losses of the epochs e−2 and e−1
        self.shares: Tensor
        self.register_buffer("shares", torch.full((scenes,), 1 / scenes))

    def weights(self, step: StepLosses) -> Tensor:
        return self.shares  # (S,)

    @torch.no_grad()
    def end_epoch(self, losses: Tensor) -> None:
        self.history.copy_(torch.stack((self.history[1], losses)))  # (2, S)
        known = ((self.history > 0) & self.history.isfinite()).all(dim=0)  # (S,)
        rate = torch.where(known, self.history[1] / self.history[0], 1.0)  # (S,)
        self.shares.copy_(torch.softmax(rate / self.temperature, dim=0))
