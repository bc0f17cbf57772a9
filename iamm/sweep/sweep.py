"""The output of a sweep: a line for each finished run, a live line on a terminal, and all failures at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iamm.console import PlainConsole
from iamm.errors import BadDataError, FailedCellError, MissingDataError
from iamm.processors import processors
from iamm.record.run_folder import read_result
from iamm.run.planned import Cell
from iamm.sweep.launch import cleared, launched
from iamm.sweep.pool import GLANCE, ProcessOutcome, run_cells


def sweep(cells: Sequence[Cell], launcher: Sequence[str] = ()) -> list[FailedCellError]:
    """Run all cells that are not finished; return the errors of those that failed.

    Args:
        cells: planned runs.
        launcher: the words that choose another launcher of Hydra; empty: side by side on this machine.
    """
    console = PlainConsole()
    failed = run_by(launcher, cells, console) if launcher else run_here(cells, console)
    if failed:
        console.print(f"{len(failed)} of {len(cells)} runs failed:")
        for outcome in failed:
            console.print(f"  {outcome.cell.folder.path}: {outcome.reason}", soft_wrap=True)
        console.print("The same command goes on with what is not finished.")
    return [FailedCellError(outcome.reason) for outcome in failed]


def run_here(cells: Sequence[Cell], console: Console) -> list[ProcessOutcome]:
    options = cells[0].values["sweep"]
    jobs = options["jobs"] or processors()
    console.print(f"{len(cells)} runs, {jobs} at once, each with a log.txt in its folder", soft_wrap=True)
    with SweepLine(console, len(cells)) as line:
        return run_cells(cells, jobs, options["silence"], line.ended)


def run_by(launcher: Sequence[str], cells: Sequence[Cell], console: Console) -> list[ProcessOutcome]:
    console.print(f"{len(cells)} runs by {' '.join(launcher)}, each with a log.txt in its folder", soft_wrap=True)
    prepared = [cleared(cell) for cell in cells]
    with SweepLine(console, len(cells)) as line, watched(prepared, line.ended):
        return launched(prepared, launcher)


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
    waiting = list(cells)
    last = False
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
    console = PlainConsole()
    silence = cell.values["sweep"]["silence"]
    failed = run_cells([cell], 1, silence, lambda outcome: console.print(outcome_line(outcome), soft_wrap=True))
    if failed:
        raise FailedCellError(failed[0].reason)
    return float(read_result(cell.folder.path)["validation_quality"])


class SweepLine:
    """The progress of a sweep: a line for each ended run.

    Args:
        console: a terminal also gets a bar with the time left.
        total: number of runs.
    """

    def __init__(self, console: Console, total: int) -> None:
        self.console = console
        self.total = total
        self.count = 0
        columns = (TextColumn("runs"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
        self.live = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self.task = self.live.add_task("runs", total=total)

    def __enter__(self) -> SweepLine:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def ended(self, outcome: ProcessOutcome) -> None:
        self.count += 1
        self.live.update(self.task, completed=self.count)
        self.console.print(f"[{self.count}/{self.total}] {outcome_line(outcome)}", soft_wrap=True)


def outcome_line(outcome: ProcessOutcome) -> str:
    """`done` with the qualities, or `failed` with the reason and the path of the log."""
    folder = outcome.cell.folder
    if outcome.code:
        return f"failed  {folder.path.name}  {outcome.reason}  (see {folder.log})"
    try:
        result = read_result(folder.path)
    except (BadDataError, MissingDataError) as error:
        return f"failed  {folder.path.name}  {error}"
    return f"done    {folder.path.name}  {qualities(result)}  {result['seconds']:.1f} s"


def qualities(result: Mapping[str, Any]) -> str:
    return "  ".join(f"{scene} {100 * quality:.2f}" for scene, quality in result["quality"].items())
