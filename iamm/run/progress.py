"""Progress of a training: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from iamm.engine.evaluate import Evaluation
from iamm.engine.observer import Interval
from iamm.engine.plan import RunState
from iamm.measure import Measure

SECONDS_BETWEEN_LINES = 5.0

Declared = Mapping[str, Mapping[str, Measure]]
"""Per scene, the measures of its head by name."""


class ProgressLine:
    """An observer of `fit`: losses, measures, steps a second and time left.

    Args:
        console: a terminal gets a live line, anything else a line every few seconds.
        epochs: of the plan.
        measures: per scene, the measures of its head.
    """

    def __init__(self, console: Console, epochs: int, measures: Declared) -> None:
        self.console = console
        self.epochs = epochs
        self.measures = measures
        text = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
        columns = (TimeRemainingColumn(compact=True), BarColumn(bar_width=10), text)
        self.live = Progress(*columns, console=console, disable=not console.is_terminal, transient=True, expand=True)
        self.task = self.live.add_task("starting", total=None)
        self.last = 0.0

    def __enter__(self) -> ProgressLine:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def trained(self, interval: Interval) -> None:
        losses = "  ".join(f"{scene} {loss:.3f}" for scene, loss in interval.losses.items())
        line = f"epoch {interval.epoch}/{self.epochs}  step {interval.step}/{interval.total}  loss {losses}"
        line += f"  {interval.steps_per_second:.1f} steps/s"
        self.live.update(self.task, description=line, total=interval.total, completed=interval.step)
        now = time.monotonic()
        if not self.console.is_terminal and now - self.last >= SECONDS_BETWEEN_LINES:
            left = (interval.total - interval.step) / interval.steps_per_second
            self.console.print(f"{line}  {left:.0f} s left", soft_wrap=True, highlight=False)
            self.last = now

    def validated(self, state: RunState, evaluation: Evaluation) -> None:
        best = "  (best so far)" if state.best_epoch == state.epoch else ""
        line = (
            f"epoch {state.epoch}/{self.epochs}  validation  {short_measures(evaluation.measures, self.measures)}{best}"
        )
        self.console.print(line, soft_wrap=True, highlight=False)


def short_measures(measures: Mapping[str, Mapping[str, float]], declared: Declared) -> str:
    """The first measure and the loss of each scene."""
    shown = []
    for scene, values in measures.items():
        first = next(iter(values))
        shown.append(f"{scene} {first} {declared[scene][first].shown(values[first])} loss {values['loss']:.3f}")
    return "  ".join(shown)
