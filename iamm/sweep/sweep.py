"""The output of a sweep: a line for each finished run, a live line on a terminal, and all failures at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iamm.errors import BadDataError, FailedCellError, MissingDataError
from iamm.processors import processors
from iamm.record.overview import described, differing, read_scored
from iamm.record.run_folder import read_result
from iamm.run.planned import Cell
from iamm.sweep.pool import GLANCE, ProcessOutcome, run_cells
from iamm.terminal import plain_console


def sweep(cells: Sequence[Cell], launcher: Sequence[str] = ()) -> list[FailedCellError]:
    """Run all cells that are not finished; return the errors of those that failed.

    Args:
        cells: planned runs.
        launcher: the words that choose another launcher of Hydra; empty: side by side on this machine.
    """
    console = plain_console()
    line = SweepLine(console, cells)
    failed = run_by(launcher, cells, line) if launcher else run_here(cells, line)
    if failed:
        console.print(f"{len(failed)} of {len(cells)} runs failed:")
        for outcome in failed:
            console.print(f"  {outcome.cell.path}: {outcome.reason}", soft_wrap=True)
        console.print("The same command goes on with what is not finished.")
    return [FailedCellError(outcome.reason) for outcome in failed]


def run_here(cells: Sequence[Cell], line: SweepLine) -> list[ProcessOutcome]:
    options = cells[0].values["sweep"]
    jobs = options["jobs"] or processors()
    line.console.print(f"{len(cells)} runs, {jobs} at once, each with a log.txt in its folder", soft_wrap=True)
    with line:
        return run_cells(cells, jobs, options["silence"], line.ended)


def run_by(launcher: Sequence[str], cells: Sequence[Cell], line: SweepLine) -> list[ProcessOutcome]:
    from iamm.sweep.launch import launched, prepared

    line.console.print(f"{len(cells)} runs by {' '.join(launcher)}, each with a log.txt in its folder", soft_wrap=True)
    each = [prepared(cell) for cell in cells]
    waiting = [one for one in each if isinstance(one, Cell)]
    ended = [one for one in each if isinstance(one, ProcessOutcome)]
    with line:
        for outcome in ended:
            line.ended(outcome)
        with watched(waiting, line.ended):
            failed = launched(waiting, launcher)
    return [*(outcome for outcome in ended if outcome.code), *failed]


@contextmanager
def watched(cells: Sequence[Cell], report: Callable[[ProcessOutcome], None]) -> Iterator[None]:
    """Report each run when its result appears in its folder."""
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(cells, report, over))
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def watch(cells: Sequence[Cell], report: Callable[[ProcessOutcome], None], over: threading.Event) -> None:
    waiting, last = list(cells), False
    while waiting and not last:
        last = over.wait(GLANCE)
        finished = [cell for cell in waiting if cell.folder.finished()]
        waiting = [cell for cell in waiting if cell not in finished]
        for cell in finished:
            report(ProcessOutcome(cell, 0, ""))


def searched(cell: Cell) -> float:
    """Run a job of a search; return its quality on validation.

    Raises:
        FailedCellError: the run failed, with its last line.
    """
    console, keys = plain_console(), list(cell.settings)
    silence = cell.values["sweep"]["silence"]
    failed = run_cells([cell], 1, silence, lambda outcome: console.print(outcome_line(outcome, keys), soft_wrap=True))
    if failed:
        raise FailedCellError(failed[0].reason)
    return float(read_result(cell.path)["validation_quality"])


class SweepLine:
    """The progress of a sweep: a line for each ended run.

    Args:
        console: a terminal also gets a bar with the time left.
        cells: planned runs.
    """

    def __init__(self, console: Console, cells: Sequence[Cell]) -> None:
        self.console = console
        self.keys = differing(cell.settings for cell in cells)
        self.total = len(cells)
        self.count = 0
        columns = (TextColumn("runs"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        self.live = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self.task = self.live.add_task("runs", total=self.total)

    def __enter__(self) -> SweepLine:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def ended(self, outcome: ProcessOutcome) -> None:
        self.count += 1
        self.live.update(self.task, completed=self.count)
        self.console.print(f"[{self.count}/{self.total}] {outcome_line(outcome, self.keys)}", soft_wrap=True)


def outcome_line(outcome: ProcessOutcome, keys: Sequence[str]) -> str:
    """What differs, then `done` or `reused` with the quality on validation, or `failed` with its reason and log."""
    cell, settings = outcome.cell, described(outcome.cell.settings, keys) or outcome.cell.name
    if outcome.code:
        log = cell.path / "log.txt"
        return f"failed  {settings}  {outcome.reason}" + (f"  (see {log})" if log.exists() else "")
    try:
        run = read_scored(cell.path)
    except (BadDataError, MissingDataError) as error:
        return f"failed  {settings}  {error}"
    state = "reused" if outcome.reused else "done  "
    return f"{state}  {settings}  validation {100 * run.validation:.2f}  {run.seconds:.1f} s"
