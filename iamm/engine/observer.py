"""What a training tells those who watch it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from iamm.engine.evaluate import Evaluation
from iamm.engine.plan import RunState


@dataclass(frozen=True)
class Interval:
    """Means over the steps since the last record."""

    step: int
    total: int
    epoch: int
    losses: Mapping[str, float]
    weights: Mapping[str, float]
    scene_weights: Mapping[str, Mapping[str, float]]
    rate: float
    gradient_norm: float
    steps_per_second: float


class Observer(Protocol):
    """Is told how training goes; changes nothing."""

    def trained(self, told: Interval) -> None: ...

    def validated(self, state: RunState, evaluation: Evaluation) -> None: ...


class Stepped(NamedTuple):
    """What one optimizer step did.

    Shapes:
        losses: (S,), 0 where a scene was not observed
        weights: (S,), as applied
        observed: (S,) bool
        scene_weights: (S, S), a row a scene that asks; None where the fusion has none
        gradient_norm: (), before clipping
    """

    losses: Tensor
    weights: Tensor
    observed: Tensor
    scene_weights: Tensor | None
    gradient_norm: Tensor | None = None

    @staticmethod
    def joined(parts: Sequence[Stepped], norm: Tensor) -> Stepped:
        """Accumulated batches as one step: a scene's loss is the mean over the batches in which it was observed."""
        if len(parts) == 1:
            return parts[0]._replace(gradient_norm=norm)
        seen = torch.stack([part.observed for part in parts])
        losses = torch.stack([part.losses for part in parts]).sum(dim=0) / seen.sum(dim=0).clamp(min=1)
        weights = torch.stack([part.weights for part in parts]).mean(dim=0)
        attended = [part.scene_weights for part in parts if part.scene_weights is not None]
        mean = torch.stack(attended).mean(dim=0) if attended else None
        return Stepped(losses, weights, seen.any(dim=0), mean, norm)


class Totals:
    """Sums over steps; kept as tensors, so that no step waits for a number.

    Args:
        names: of the S scenes.
        device: of the losses.
    """

    def __init__(self, names: Sequence[str], device: torch.device) -> None:
        self.names = names
        scenes = len(names)
        self.losses = torch.zeros(scenes, device=device)
        self.weights = torch.zeros(scenes, device=device)
        self.observed = torch.zeros(scenes, dtype=torch.int64, device=device)
        self.seen = torch.zeros(scenes, scenes, device=device)
        self.norm = torch.zeros((), device=device)
        self.steps = 0
        self.attended = False
        self.started = time.perf_counter()

    def add(self, done: Stepped) -> None:
        self.losses += done.losses
        self.weights += done.weights
        self.observed += done.observed
        self.steps += 1
        if done.gradient_norm is not None:
            self.norm += done.gradient_norm
        if done.scene_weights is not None:
            self.attended = True
            self.seen += done.scene_weights

    def mean_losses(self) -> Tensor:
        """Mean over the steps in which a scene was observed; 0 where it never was.  # (S,)"""
        return self.losses / self.observed.clamp(min=1)

    def interval(self, state: RunState, total: int, rate: float) -> Interval:
        def named(values: Tensor) -> dict[str, float]:
            return dict(zip(self.names, values.tolist(), strict=True))

        rows = zip(self.names, self.seen / self.steps, strict=True)
        return Interval(
            step=state.step,
            total=total,
            epoch=state.epoch + 1,
            losses=named(self.mean_losses()),
            weights=named(self.weights / self.steps),
            scene_weights={name: named(row) for name, row in rows} if self.attended else {},
            rate=rate,
            gradient_norm=float(self.norm) / self.steps,
            steps_per_second=self.steps / max(time.perf_counter() - self.started, 1e-9),
        )
