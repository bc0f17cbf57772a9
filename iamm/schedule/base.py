"""The contract of every schedule: a factor on the learning rate that depends on the step alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from iamm.constrained import check_fields
from iamm.constraints import WholeNumber


@dataclass(frozen=True, kw_only=True)
class Schedule(ABC):
    """factor(t) = min(1, (t+1)/warmup) · decay(t).

    Without state: step t has its factor whether the run was resumed or not. After `total` the factor stays as it is at
    `total`. A run shorter than its warm-up ends on the way up.

    Args:
        warmup: optimizer steps on which the factor rises linearly to the whole; 0 for none.

    Raises:
        ValueError: a negative warm-up.
    """

    warmup: WholeNumber = 0

    def __post_init__(self) -> None:
        check_fields(self)

    def __call__(self, step: int, total: int) -> float:
        """The factor on the base learning rate for optimizer step `step`, counted from 0, of `total`."""
        step = min(step, total)
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return rise * self.decay(step, total)

    @abstractmethod
    def decay(self, step: int, total: int) -> float:
        """The factor but for the warm-up; 0 ≤ step ≤ total."""

    def progress(self, step: int, total: int) -> float:
        """Share of the way from the end of the warm-up (0) to the end of the run (1)."""
        return max(0, step - self.warmup) / max(1, total - self.warmup)
