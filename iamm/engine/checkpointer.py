"""When a run is kept, and where."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from iamm.engine.checkpoint import load_checkpoint, save_checkpoint, save_model, whole
from iamm.engine.plan import RunState
from iamm.errors import BadDataError


class StopRequested(KeyboardInterrupt):
    """The run was asked to leave, and has been kept."""


class Checkpointer:
    """Is asked between any two steps whether the run is to be kept. This one keeps nothing."""

    def due(self, state: RunState) -> bool:
        return False

    def save(self, state: RunState) -> None: ...

    def save_best(self, state: RunState) -> None: ...


@dataclass
class FileCheckpointer(Checkpointer):
    """Keeps a run in files.

    Args:
        last: where the run goes on from.
        previous: the one before it, should `last` be damaged.
        best: the model that validation chose.
        model: of the run.
        parts: name → what has a `state_dict`, the model among them.
        steps: between two checkpoints; None: not by steps.
        minutes: between two checkpoints; None: not by time.
        epochs: between two checkpoints.
        asked: whether the run is to leave; it is then kept, and left.
    """

    last: Path
    previous: Path
    best: Path
    model: nn.Module
    parts: Mapping[str, Any]
    steps: int | None = None
    minutes: float | None = None
    epochs: int = 1
    asked: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.note(RunState())

    def note(self, state: RunState) -> None:
        self.kept = (state.step, state.epoch)
        self.time = time.monotonic()

    def due(self, state: RunState) -> bool:
        step, epoch = self.kept
        by_steps = self.steps is not None and state.step - step >= self.steps
        by_epochs = state.epoch - epoch >= self.epochs
        by_time = self.minutes is not None and time.monotonic() - self.time >= 60 * self.minutes
        return by_steps or by_epochs or by_time or self.asked()

    def save(self, state: RunState) -> None:
        """Raises:
        Left: the run was asked to leave.
        """
        if self.kept != (state.step, state.epoch):
            save_checkpoint(self.last, state, self.parts, previous=self.previous)
            self.note(state)
        if self.asked():
            raise StopRequested

    def save_best(self, state: RunState) -> None:
        save_model(self.best, self.model, state.epoch)

    def restore(self) -> tuple[RunState, str]:
        """Where the run stood, its beginning if it was never kept; and what a person must know of it.

        Raises:
            BadDataError: no checkpoint is as it was written.
        """
        there = [path for path in (self.last, self.previous) if path.exists()]
        if not there:
            return RunState(), ""
        good = [path for path in there if whole(path)]
        if not good:
            names = " and ".join(str(path) for path in there)
            raise BadDataError(
                f"A checkpoint must be as it was written. Found {names} damaged: their SHA-256 is not right. "
                "Start anew with rerun=true."
            )
        state = load_checkpoint(good[0], self.parts)
        self.note(state)
        if good[0] == there[0]:
            return state, ""
        return state, f"{there[0].name} is damaged; this run goes on from {good[0].name}, step {state.step}."
