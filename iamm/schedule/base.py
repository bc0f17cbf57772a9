"""The base class of schedules: a factor on the learning rate that depends only on the step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from iamm.constrained import check_fields
from iamm.constraints import WholeNumber


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """factor(t) = min(1, (t+1)/warmup) · decay(t).

    A schedule has no state: step t has the same factor in a resumed run. After `total` the factor is constant. A run
    shorter than its warm-up ends before the factor reaches 1.

    Args:
        warmup: optimizer steps on which the factor rises linearly to 1; 0 for none.

    Raises:
        ValueError: a negative warm-up.
    """

    warmup: WholeNumber = 0

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, step: int, total: int) -> float:
        """Give the factor on the base learning rate for optimizer step `step`, counted from 0, of `total`."""
        step = min(step, total)
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return rise * self.decay(step, total)

    @abstractmethod
    def decay(self, step: int, total: int) -> float:
        """Give the factor without the warm-up; 0 ≤ step ≤ total."""

    def progress(self, step: int, total: int) -> float:
        """Give the share of the way from the end of the warm-up (0) to the end of the run (1)."""
        return max(0, step - self.warmup) / max(1, total - self.warmup)
