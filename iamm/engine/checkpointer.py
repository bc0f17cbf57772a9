"""Checkpointing: when a run is saved, and in which files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iamm.engine.checkpoint import file_is_intact, load_checkpoint, save_checkpoint, save_model
from iamm.engine.plan import RunState
from iamm.errors import BadDataError


class StopRequested(KeyboardInterrupt):
    """A stop was requested, and the run has been saved."""


class Checkpointer:
    """The interface that the loop calls between two steps. This base class saves nothing."""

    def due(self, state: RunState) -> bool:
        return False

    def save(self, state: RunState) -> None: ...

    def save_best(self, state: RunState, model: Any) -> None: ...


@dataclass
class FileCheckpointer(Checkpointer):
    """A checkpointer that saves a run in files.

    Args:
        last: the latest checkpoint, from which the run is resumed.
        previous: the checkpoint before it, used if `last` is damaged.
        best: the model that validation chose.
        parts: name → object with a `state_dict`, the model among them.
        steps: optimizer steps between two checkpoints; None: no limit.
        minutes: time between two checkpoints; None: no limit.
        epochs: epochs between two checkpoints.
        stop_requested: whether the run should stop; it is then saved and left.
    """

    last: Path
    previous: Path
    best: Path
    parts: Mapping[str, Any]
    steps: int | None = None
    minutes: float | None = None
    epochs: int = 1
    stop_requested: Callable[[], bool] = lambda: False

    def __post_init__(self) -> None:
        self.mark_saved(RunState())

    def mark_saved(self, state: RunState) -> None:
        self.saved = (state.step, state.epoch)
        self.saved_time = time.monotonic()

    def due(self, state: RunState) -> bool:
        step, epoch = self.saved
        by_steps = self.steps is not None and state.step - step >= self.steps
        by_epochs = state.epoch - epoch >= self.epochs
        by_time = self.minutes is not None and time.monotonic() - self.saved_time >= 60 * self.minutes
        return by_steps or by_epochs or by_time or self.stop_requested()

    def save(self, state: RunState) -> None:
        """Save the run unless this state is saved already; then stop if a stop was requested.

        Raises:
            StopRequested: a stop was requested.
        """
        if self.saved != (state.step, state.epoch):
            save_checkpoint(self.last, state, self.parts, previous=self.previous)
            self.mark_saved(state)
        if self.stop_requested():
            raise StopRequested

    def save_best(self, state: RunState, model: Any) -> None:
        save_model(self.best, model, state.epoch)

    def restore(self) -> tuple[RunState, str]:
        """Restore the run: its state (a new one if it was never saved), and a warning for the user or an empty text.

        Raises:
            BadDataError: all checkpoints are damaged.
        """
        existing = [path for path in (self.last, self.previous) if path.exists()]
        if not existing:
            return RunState(), ""
        intact = [path for path in existing if file_is_intact(path)]
        if not intact:
            names = " and ".join(str(path) for path in existing)
            raise BadDataError(
                f"A checkpoint must be as it was written. Found {names} damaged: their SHA-256 is not right. "
                "Start anew with rerun=true."
            )
        state = load_checkpoint(intact[0], self.parts)
        self.mark_saved(state)
        if intact[0] == existing[0]:
            return state, ""
        return state, f"{existing[0].name} is damaged; this run goes on from {intact[0].name}, step {state.step}."
