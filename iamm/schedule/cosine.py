"""The learning rate falls along half a cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

from iamm.constraints import Share
from iamm.schedule.base import Schedule


@dataclass(frozen=True, kw_only=True)
class CosineSchedule(Schedule):
    """decay(t) = final + (1 − final) (1 + cos πp) / 2, p = share of the way from the warm-up's end to the run's end.

    Args:
        final: the factor that is reached at the end, in [0, 1].
        warmup: optimizer steps of linear warm-up.

    Raises:
        ValueError: `final` out of its range.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.
    """

    final: Share = 0.0

    def decay(self, step: int, total: int) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * self.progress(step, total))) / 2
