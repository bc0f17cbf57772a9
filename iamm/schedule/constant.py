"""The base learning rate throughout."""

from __future__ import annotations

from dataclasses import dataclass

from iamm.schedule.base import Schedule


@dataclass(frozen=True, kw_only=True)
class ConstantSchedule(Schedule):
    """decay(t) = 1.

    Args:
        warmup: optimizer steps of linear warm-up.
    """

    def decay(self, step: int, total: int) -> float:
        return 1.0
