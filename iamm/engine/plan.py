"""The plan of a training, and its state between two steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from iamm.engine.sampler import Sampler


@dataclass(frozen=True)
class Plan:
    """Length and options of a training.

    Args:
        epochs: passes over the scene with the most steps; shorter scenes begin again and are reshuffled.
        steps: optimizer steps an epoch; None means as many as the longest scene has batches.
        accumulate: batches whose gradients are averaged into one optimizer step.
        growth: factor on every batch size after each `growth_every` epochs.
        growth_every: epochs.
        growth_patience: validations without a better quality after which the batches grow, in place of `growth_every`;
            the steps of an epoch are then given by `steps`. None means by epochs.
        clip: largest norm of all gradients together; None means no clipping.
        l1: λ of λ Σ|w|, added to the gradient as λ sign(w).
        l2: λ of ½ λ Σw², added to the gradient as λ w.
        patience: validations without a better quality before stopping; None means never.
        nonfinite: `stop` raises at a loss or gradient that is not finite, `skip` leaves such a step out.
        precision: `fp32`, or `bf16` or `fp16` for the forward pass of training; evaluation always is fp32. With
            `fp16` the losses are scaled.
        log_every: steps between two records.
        conflict: whether each record holds norms and cosines of the scenes' gradients of its last step.
    """

    epochs: int
    steps: int | None = None
    accumulate: int = 1
    growth: float = 1.0
    growth_every: int = 1
    growth_patience: int | None = None
    clip: float | None = None
    l1: float = 0.0
    l2: float = 0.0
    patience: int | None = None
    nonfinite: str = "stop"
    precision: str = "fp32"
    log_every: int = 50
    conflict: bool = False

    def growth_at(self, epoch: int, growths: int = 0) -> float:
        """The factor on the batch sizes in an epoch (0-based), after so many growths by validation."""
        return self.growth ** (epoch // self.growth_every if self.growth_patience is None else growths)

    def epoch_steps(self, epoch: int, samplers: Sequence[Sampler]) -> int:
        """Optimizer steps of an epoch (0-based)."""
        if self.steps is not None:
            return self.steps
        batches = max(sampler.steps(self.growth_at(epoch)) for sampler in samplers)
        return math.ceil(batches / self.accumulate)

    def total_steps(self, samplers: Sequence[Sampler]) -> int:
        return sum(self.epoch_steps(epoch, samplers) for epoch in range(self.epochs))


LARGEST_SCALE = 2.0**24
"""Of the losses of fp16."""


@dataclass
class RunState:
    """The position of a run between two steps; with the state dicts, all that a checkpoint holds.

    Args:
        step: optimizer steps taken.
        epoch: finished epochs, including their validation.
        done: steps taken in the current epoch.
        best_quality: the best on validation, of this phase.
        best_epoch: the epoch that reached it.
        waited: validations since the best one.
        skipped: steps that were not applied because they were not finite.
        seconds: time of training and validation.
        samplers: state of each data set's sampler.
        totals: sums of the interval since the last record, and of the current epoch.
        phase: name of the current phase; empty if the run has only one.
        history: outcomes of the earlier phases.
        best_weights: per scene, the mean attention to all scenes at the best validation; empty where there is none.
        growths: of the batches, by validation.
        stalled: validations since the best one or the last growth.
        loss_scale: s, by which the losses of fp16 are scaled.
        scaled: finite steps with this s.
    """

    step: int = 0
    epoch: int = 0
    done: int = 0
    best_quality: float = -math.inf
    best_epoch: int = 0
    waited: int = 0
    skipped: int = 0
    seconds: float = 0.0
    samplers: list[dict[str, float]] = field(default_factory=list)
    totals: list[dict[str, Any]] = field(default_factory=list)
    phase: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    best_weights: dict[str, dict[str, float]] = field(default_factory=dict)
    growths: int = 0
    stalled: int = 0
    loss_scale: float = 2.0**16
    scaled: int = 0

    @property
    def phase_step(self) -> int:
        """Optimizer steps taken in this phase."""
        return self.step - (self.history[-1]["step"] if self.history else 0)

    @property
    def phase_epoch(self) -> int:
        """Finished epochs of this phase."""
        return self.epoch - (self.history[-1]["epoch"] if self.history else 0)

    def end_epoch(self, better: bool, growth_patience: int | None) -> None:
        """Count an epoch, and validations without a better quality; the batches grow after enough of these."""
        self.epoch, self.done = self.epoch + 1, 0
        self.waited = 0 if better else self.waited + 1
        self.stalled = 0 if better else self.stalled + 1
        if self.stalled == growth_patience:
            self.growths, self.stalled = self.growths + 1, 0

    def count_finite(self) -> None:
        """Count a finite step; double the scale of the losses after 2,000 of them, as `torch.amp.GradScaler` does."""
        self.scaled += 1
        if self.scaled == 2_000:
            self.loss_scale, self.scaled = min(2 * self.loss_scale, LARGEST_SCALE), 0

    def scale_down(self) -> bool:
        """Halve the scale of the losses after a gradient that is not finite; False where it is 1 already."""
        halved = self.loss_scale > 1
        self.loss_scale, self.scaled = max(1.0, self.loss_scale / 2), 0
        return halved

    def outcome(self) -> dict[str, Any]:
        """The outcome of a finished phase."""
        best = {"best_quality": self.best_quality, "best_epoch": self.best_epoch, "scene_weights": self.best_weights}
        return {"phase": self.phase, "step": self.step, "epoch": self.epoch, **best}
