"""What a training tells those who watch it."""

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
    """How the scenes' gradients of the shared parameters stand to each other, in one batch.

    Args:
        norms: |g_i| of each scene that has one.
        cosines: g_i · g_j / (|g_i| |g_j|) of each pair of these, in the order of the scenes.
    """

    norms: Mapping[str, float]
    cosines: Mapping[tuple[str, str], float]

    @staticmethod
    def of(gram: Tensor, names: Sequence[str]) -> Conflict:
        norms = gram.diagonal().sqrt()  # (S,)
        cosines = gram / norms.outer(norms)  # (S, S)
        there = norms.nonzero().flatten().tolist()
        return Conflict(
            {names[i]: float(norms[i]) for i in there},
            {(names[i], names[j]): float(cosines[i, j]) for i, j in combinations(there, 2)},
        )


@dataclass(frozen=True)
class Interval:
    """Means over the steps since the last record; the conflict is that of the last step.

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


class Observer(Protocol):
    """Is told how training goes; changes nothing."""

    def trained(self, told: Interval) -> None: ...

    def validated(self, state: RunState, evaluation: Evaluation) -> None: ...


class Part(NamedTuple):
    """What one batch of every data set gave.

    Shapes:
        losses: (S,), 0 where a scene was not observed
        observed: (S,) bool
        scene_weights: (S, S), a row a scene that asks; None where the fusion has none
        gram: (S, S), dot products of the scenes' gradients of the shared parameters, where asked for
        penalties: by name, (), this batch's share of the step's
    """

    losses: Tensor
    observed: Tensor
    scene_weights: Tensor | None
    gram: Tensor | None
    penalties: Penalties


class Stepped(NamedTuple):
    """What one optimizer step did: its batches as one, the weights (S,) as applied, the norm () before clipping."""

    losses: Tensor
    observed: Tensor
    scene_weights: Tensor | None
    gram: Tensor | None
    penalties: Penalties
    weights: Tensor
    gradient_norm: Tensor

    @staticmethod
    def joined(parts: Sequence[Part], weights: Tensor, norm: Tensor, penalties: Penalties) -> Stepped:
        """A scene's loss is the mean over the batches in which it was observed; the Gram matrix is the last one's.

        Args:
            parts: of each batch.
            weights: as applied.
            norm: before clipping.
            penalties: those of the parameters, beside the batches' own.
        """
        paid = summed((*(part.penalties for part in parts), penalties))
        seen = StepLosses.joined(
            [StepLosses(part.losses, part.observed.to(part.losses), part.scene_weights) for part in parts]
        )
        return Stepped(seen.losses, seen.observed, seen.scene_weights, parts[-1].gram, paid, weights, norm)


SUMS = ("losses", "weights", "observed", "seen", "norm")
"""What `Totals` adds up."""


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
        self.steps = self.before = 0
        self.attended = False
        self.penalties: dict[str, Tensor] = {}
        self.last: Stepped | None = None
        self.started = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        sums = {name: getattr(self, name).clone() for name in SUMS}
        return {**sums, "steps": self.steps, "attended": self.attended, "penalties": dict(self.penalties)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The time of an earlier process does not count for the steps a second."""
        for name in SUMS:
            getattr(self, name).copy_(state[name])
        self.steps, self.attended = int(state["steps"]), bool(state["attended"])
        self.before = self.steps
        self.penalties = {name: value.to(self.norm.device) for name, value in state["penalties"].items()}

    def add(self, done: Stepped) -> None:
        self.losses += done.losses
        self.weights += done.weights
        self.observed += done.observed
        self.steps += 1
        self.norm += done.gradient_norm
        self.last = done
        self.penalties = summed((self.penalties, done.penalties))
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
            steps_per_second=max(self.steps - self.before, 1) / max(time.perf_counter() - self.started, 1e-9),
            conflict=self.conflict(),
            phase=state.phase,
            penalties={name: float(value) / self.steps for name, value in self.penalties.items()},
        )

    def conflict(self) -> Conflict | None:
        if self.last is None or self.last.gram is None:
            return None
        return Conflict.of(self.last.gram.double(), self.names)
