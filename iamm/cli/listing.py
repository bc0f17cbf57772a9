"""Which runs of a table are there, and what the missing ones will cost."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from iamm.cli.job import plain_console
from iamm.report.aggregate import observed
from iamm.report.plan import Plan
from iamm.report.table import Run

STATES = ("finished", "running", "interrupted", "failed", "missing")


def show_listing(plan: Plan, output_dir: Path, jobs: int) -> None:
    """A line for each row and setting, then the cost of all that is not finished; each failed run with its reason.

    Args:
        plan: of the table.
        output_dir: where the run folders lie.
        jobs: runs at once.
    """
    console = plain_console()
    runs = [observed(planned, output_dir) for planned in plan.runs]
    table = Table(title=plan.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("row", "setting", *STATES, "one run", "to do"):
        table.add_column(name, justify="left" if name in ("row", "setting") else "right", overflow="fold")
    for row in plan.rows:
        for setting in plan.settings:
            table.add_row(row, setting, *line(plan, runs, row, setting))
    console.print(table)
    for run in runs:
        if run.state == "failed":
            console.print(f"failed  {output_dir / run.planned.folder}: {run.reason}", soft_wrap=True)
    left = [cost(plan, runs, run) for run in runs if run.state != "finished"]
    console.print(f"{len(runs) - len(left)} of {len(runs)} runs are finished. {outlook(left, jobs)}", soft_wrap=True)


def line(plan: Plan, runs: Sequence[Run], row: str, setting: str) -> list[str]:
    own = [run for run in runs if (run.planned.row, run.planned.setting) == (row, setting)]
    counts = Counter(run.state for run in own)
    left = [cost(plan, runs, run) for run in own if run.state != "finished"]
    known = [seconds for seconds in left if seconds is not None]
    one = cost(plan, runs, own[0])
    return [
        *(str(counts[state] or "–") for state in STATES),
        duration(one) if one is not None else "?",
        duration(sum(known)) if len(known) == len(left) else "?",
    ]


def cost(plan: Plan, runs: Iterable[Run], run: Run) -> float | None:
    """Expected seconds of a run: the mean of the row's finished ones in the setting, else what the table says."""
    place = (run.planned.row, run.planned.setting)
    seen = [
        other.result["seconds"]
        for other in runs
        if other.result is not None and (other.planned.row, other.planned.setting) == place
    ]
    return statistics.mean(seen) if seen else plan.seconds


def outlook(left: Sequence[float | None], jobs: int) -> str:
    if not left:
        return "Nothing is left to run."
    known = [seconds for seconds in left if seconds is not None]
    if len(known) < len(left):
        return f"{len(left)} are left; what one takes is not known yet."
    total = duration(sum(known) / min(jobs, len(left)))
    return f"The other {len(left)} will take about {total}, {min(jobs, len(left))} at once."


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
