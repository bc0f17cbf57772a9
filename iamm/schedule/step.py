"""The learning rate falls at milestones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from iamm.constraints import Share, ShareAbove0
from iamm.schedule.base import Schedule


@dataclass(frozen=True, kw_only=True)
class StepSchedule(Schedule):
    """decay(t) = γ^n, n = how many milestones m have t ≥ m · total.

    Args:
        milestones: shares of the whole run, warm-up included, each in [0, 1].
        gamma: γ in (0, 1], the factor at each milestone.
        warmup: optimizer steps of linear warm-up.

    Raises:
        ValueError: a milestone or gamma out of its range.
    """

    milestones: Sequence[Share] = (0.5, 0.75)
    gamma: ShareAbove0 = 0.1

    def decay(self, step: int, total: int) -> float:
        return self.gamma ** sum(step >= milestone * total for milestone in self.milestones)
