"""A weighting with weights set by the user."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iamm.constraints import NotNegative
from iamm.weighting.base import StepLosses, Weighting


class FixedWeighting(Weighting):
    """w_i = the given value, as it stands: not normalised, so doubling all doubles every gradient.

    Args:
        scenes: S, the number of losses.
        values: S finite numbers, none negative and one at least positive, in the order of the scenes.

    Raises:
        ValueError: values of another number, negative, not finite or all zero.

    Source: D0 §3.1.3, L = Σ w_m L_m with weights set by hand.
    """

    one_per_scene = not_all_zero = ("values",)

    def __init__(self, scenes: int, *, values: Sequence[NotNegative]) -> None:
        super().__init__(scenes)
        self.values: Tensor
        self.register_buffer("values", torch.tensor([float(value) for value in values]))

    def weights(self, step: StepLosses) -> Tensor:
        return self.values  # (S,)
