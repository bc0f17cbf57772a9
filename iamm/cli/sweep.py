"""What a person sees of a sweep: a line for each run that ends, a live one on a terminal, failures again at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iamm.cli.cells import Cell
from iamm.cli.job import plain_console
from iamm.cli.pool import Outcome, run_cells
from iamm.errors import FailedCellError
from iamm.report.records import read_result


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sweep(cells: Sequence[Cell]) -> list[FailedCellError]:
    """Run all cells that are not finished; what became of those that failed."""
    console = plain_console()
    options = cells[0].values["sweep"]
    jobs = options["jobs"] or cores()
    console.print(f"{len(cells)} runs, {jobs} at once, each with a log.txt in its folder", soft_wrap=True)
    with SweepLine(console, len(cells)) as line:
        failed = run_cells(cells, jobs, options["silence"], line.ended)
    if failed:
        console.print(f"{len(failed)} of {len(cells)} runs failed:")
        for outcome in failed:
            console.print(f"  {outcome.cell.folder.path}: {outcome.reason}", soft_wrap=True)
        console.print("The same command goes on with what is not finished.")
    return [FailedCellError(outcome.reason) for outcome in failed]


class SweepLine:
    """Tells of each run that ended.

    Args:
        console: where to; a terminal gets a bar with the time left, too.
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

    def ended(self, outcome: Outcome) -> None:
        self.count += 1
        self.live.update(self.task, completed=self.count)
        self.console.print(f"[{self.count}/{self.total}] {told(outcome)}", soft_wrap=True)


def told(outcome: Outcome) -> str:
    """`done` with what was measured, or `failed` with the reason and where its log lies."""
    folder = outcome.cell.folder
    if outcome.code:
        return f"failed  {folder.path.name}  {outcome.reason}  (see {folder.log})"
    result = read_result(folder.path)
    return f"done    {folder.path.name}  {qualities(result)}  {result['seconds']:.1f} s"


def qualities(result: Mapping[str, Any]) -> str:
    return "  ".join(f"{scene} {100 * quality:.2f}" for scene, quality in result["quality"].items())
