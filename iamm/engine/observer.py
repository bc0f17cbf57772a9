"""Observers of a training, and the values that they receive."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from iamm.engine.evaluate import Evaluation
from iamm.engine.plan import RunState
from iamm.penalty import Penalties, summed
from iamm.weighting.base import StepLosses


@dataclass(frozen=True)
class Conflict:
    """Norms and cosines of the scenes' gradients of the shared parameters, in one batch.

    Args:
        norms: |g_i| of each scene whose gradient is not zero.
        cosines: g_i · g_j / (|g_i| |g_j|) of each pair of these, in the order of the scenes.
    """

    norms: Mapping[str, float]
    cosines: Mapping[tuple[str, str], float]

    @staticmethod
    def of(gram: Tensor, names: Sequence[str]) -> Conflict:
        norms = gram.diagonal().sqrt()  # (S,)
        cosines = gram / norms.outer(norms)  # (S, S)
        nonzero = norms.nonzero().flatten().tolist()
        return Conflict(
            {names[i]: float(norms[i]) for i in nonzero},
            {(names[i], names[j]): float(cosines[i, j]) for i, j in combinations(nonzero, 2)},
        )


@dataclass(frozen=True)
class Interval:
    """Means over the steps since the last record; the conflict and what techniques report are those of the last step.

    A penalty that a step lacks counts there as 0.
    """

    step: int
    total: int
    epoch: int
    losses: Mapping[str, float]
    weights: Mapping[str, float]
    scene_weights: Mapping[str, Mapping[str, float]]
    rate: float
    gradient_norm: float
    steps_per_second: float
    conflict: Conflict | None = None
    phase: str = ""
    penalties: Mapping[str, float] = field(default_factory=dict)
    techniques: Mapping[str, float] = field(default_factory=dict)


class Observer(Protocol):
    """The interface of what follows a training without changing it."""

    def trained(self, interval: Interval) -> None: ...

    def validated(self, state: RunState, evaluation: Evaluation) -> None: ...


class BatchResult(NamedTuple):
    """The results of one batch of every data set.

    Shapes:
        losses: (S,), 0 where a scene was not observed
        observed: (S,) bool
        scene_weights: (S, S), a row for each attending scene; None where the fusion has none
        gram: (S, S), dot products of the scenes' gradients of the shared parameters, where requested
        penalties: by name, (), this batch's share of the step's
    """

    losses: Tensor
    observed: Tensor
    scene_weights: Tensor | None
    gram: Tensor | None
    penalties: Penalties


class StepResult(NamedTuple):
    """The results of one optimizer step: its batches joined, the applied weights (S,), the norm () before clipping."""

    losses: Tensor
    observed: Tensor
    scene_weights: Tensor | None
    gram: Tensor | None
    penalties: Penalties
    weights: Tensor
    gradient_norm: Tensor

    @staticmethod
    def joined(parts: Sequence[BatchResult], weights: Tensor, norm: Tensor, penalties: Penalties) -> StepResult:
        """A scene's loss is the mean over the batches in which it was observed; the Gram matrix is the last one's.

        Args:
            parts: results of each batch.
            weights: applied weights (S,).
            norm: of all gradients, before clipping.
            penalties: of the parameters; those of the batches are added.
        """
        total = summed((*(part.penalties for part in parts), penalties))
        losses = StepLosses.joined(
            [StepLosses(part.losses, part.observed.to(part.losses), part.scene_weights) for part in parts]
        )
        return StepResult(losses.losses, losses.observed, losses.scene_weights, parts[-1].gram, total, weights, norm)


SUMS = ("losses", "weights", "observed", "seen", "norm")
"""Attributes of `Totals` that are sums of tensors."""


class Totals:
    """Sums over steps, held as tensors so that no step waits for a number.

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
        self.steps = self.before = 0
        self.attended = False
        self.penalties: dict[str, Tensor] = {}
        self.last: StepResult | None = None
        self.started = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        sums = {name: getattr(self, name).clone() for name in SUMS}
        return {**sums, "steps": self.steps, "attended": self.attended, "penalties": dict(self.penalties)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the sums; the steps of an earlier process do not count for the steps a second."""
        for name in SUMS:
            getattr(self, name).copy_(state[name])
        self.steps, self.attended = int(state["steps"]), bool(state["attended"])
        self.before = self.steps
        self.penalties = {name: value.to(self.norm.device) for name, value in state["penalties"].items()}

    def add(self, step: StepResult) -> None:
        self.losses += step.losses
        self.weights += step.weights
        self.observed += step.observed
        self.steps += 1
        self.norm += step.gradient_norm
        self.last = step
        self.penalties = summed((self.penalties, step.penalties))
        if step.scene_weights is not None:
            self.attended = True
            self.seen += step.scene_weights

    def mean_losses(self) -> Tensor:
        """Mean losses over the steps in which a scene was observed; 0 for a scene that was not.  # (S,)"""
        return self.losses / self.observed.clamp(min=1)

    def interval(
        self, state: RunState, total: int, rate: float, techniques: Mapping[str, float] | None = None
    ) -> Interval:
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
            steps_per_second=max(self.steps - self.before, 1) / max(time.perf_counter() - self.started, 1e-9),
            conflict=self.conflict(),
            phase=state.phase,
            penalties={name: float(value) / self.steps for name, value in self.penalties.items()},
            techniques=techniques or {},
        )

    def conflict(self) -> Conflict | None:
        if self.last is None or self.last.gram is None:
            return None
        return Conflict.of(self.last.gram.double(), self.names)
