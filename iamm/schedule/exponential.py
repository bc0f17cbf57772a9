"""The learning rate falls by the same ratio at each step."""

from __future__ import annotations

from dataclasses import dataclass

from iamm.constraints import ShareAbove0
from iamm.schedule.base import Schedule


@dataclass(frozen=True, kw_only=True)
class ExponentialSchedule(Schedule):
    """decay(t) = final^p, p = share of the way from the end of the warm-up to the end of the run.

    Args:
        final: the factor that is reached at the end, in (0, 1].
        warmup: optimizer steps of linear warm-up.

    Raises:
        ValueError: `final` out of its range.
    """

    final: ShareAbove0 = 0.01

    def decay(self, step: int, total: int) -> float:
        return self.final ** self.progress(step, total)
