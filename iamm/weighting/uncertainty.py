"""A weighting by learnt uncertainties of the scenes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.weighting.base import StepLosses, Weighting


class UncertaintyWeighting(Weighting):
    """L = Σ_i ½ exp(−s_i) L_i + ½ s_i, with s_i = log σ_i² learnt; w_i = ½ exp(−s_i).

    Each s_i tends to log L_i: a scene weighs less the larger its loss. The s_i start at 0, all weights at ½; they are
    not normalised. They are to be learnt without weight decay, which would draw every weight towards ½. A scene that is
    not observed adds nothing, its penalty included, so that its s_i has no gradient.

    Args:
        scenes: S, the number of losses.

    Source: Kendall, Gal and Cipolla 2018, eq. 7 and §3.2 (log variance for stability). The paper gives classification
    exp(−s_i) without the ½; here all scenes have it, which shifts their s_i by log 2.
    """

    def __init__(self, scenes: int) -> None:
        super().__init__(scenes)
        self.log_variance = nn.Parameter(torch.zeros(scenes))

    def weights(self, step: StepLosses) -> Tensor:
        return torch.exp(-self.log_variance) / 2  # (S,)

    def penalty(self) -> Tensor:
        return self.log_variance / 2  # (S,)
