"""A weighting with the same weight for every scene."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.weighting.base import StepLosses, Weighting


class EqualWeighting(Weighting):
    """w_i = 1/S.

    Args:
        scenes: S, the number of losses.

    Source: D0 §4.4, w_m = 1/M; its strength is shown by Kurin et al. 2022 (there as the sum, S times ours).
    """

    def weights(self, step: StepLosses) -> Tensor:
        return torch.full_like(step.losses, 1 / self.scenes)  # (S,)
