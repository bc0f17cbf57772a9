"""The learning rate falls with the root of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iamm.schedule.base import Schedule


@dataclass(frozen=True, kw_only=True)
class InverseSquareRootSchedule(Schedule):
    """factor(n) = min(n / warmup, √(warmup / n)), n = t + 1; without warm-up √(1 / n).

    The fall is set by the warm-up, not by the length of the run: without one it is steep.

    Args:
        warmup: optimizer steps of linear warm-up, at whose end the factor is 1 (paper: 4000).

    Source: Vaswani et al. 2017, eq. 3, whose peak is (D · warmup)^−½; here it is 1, times the base learning rate.
    """

    def decay(self, step: int, total: int) -> float:
        peak = max(1, self.warmup)
        return math.sqrt(peak / max(peak, step + 1))
