"""A list of a table's runs by state, and the time that the missing ones will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

from iamm.table.plan import TablePlan
from iamm.table.selection import grouped
from iamm.table.table import Run
from iamm.terminal import plain_console, print_table

STATES = ("finished", "running", "interrupted", "failed", "missing")


def show_listing(plan: TablePlan, runs: Sequence[Run], output_dir: Path, jobs: int) -> None:
    """Print a line for each row and setting, each failed run with its reason, and the time of all unfinished runs.

    Args:
        plan: of the table.
        runs: that it needs, as they were read.
        output_dir: where the run folders lie.
        jobs: runs at once.
    """
    console = plain_console()
    groups = grouped(runs, lambda run: (run.planned.row, run.planned.setting))
    costs = {place: cost(group, plan.seconds) for place, group in groups.items()}
    heads = ("row", "setting", *STATES, "one run", "to do")
    rows = [(*place, *line(groups[place], costs[place])) for place in product(plan.rows, plan.settings)]
    print_table(console, plan.title, heads, rows, labels=2)
    for run in runs:
        if run.state == "failed":
            console.print(f"failed  {output_dir / run.planned.folder}: {run.reason}", soft_wrap=True)
    left = [costs[run.planned.row, run.planned.setting] for run in runs if run.state != "finished"]
    console.print(f"{len(runs) - len(left)} of {len(runs)} runs are finished; {outlook(left, jobs)}.", soft_wrap=True)


def cost(runs: Iterable[Run], expected: float | None) -> float | None:
    """Return the seconds of one run: the mean of the finished ones, or else the time that the table expects."""
    seconds = [run.result["seconds"] for run in runs if run.result is not None]
    return fmean(seconds) if seconds else expected


def line(runs: Sequence[Run], cost: float | None) -> list[str]:
    """Count the runs in each state, and word the time of one and of all unfinished ones."""
    counts = Counter(run.state for run in runs)
    left = len(runs) - counts["finished"]
    costs = ["?", "?"] if cost is None else [duration(cost), duration(left * cost)]
    return [*(str(counts[state] or "–") for state in STATES), *costs]


def outlook(left: Sequence[float | None], jobs: int) -> str:
    """Word the time that the unfinished runs will take.

    Args:
        left: seconds of each run that is not finished.
        jobs: runs at once.
    """
    if not left:
        return "nothing is left to run"
    known = [seconds for seconds in left if seconds is not None]
    if len(known) < len(left):
        return "what is left takes a time that is not known yet"
    jobs = min(jobs, len(left))
    return f"what is left takes about {duration(sum(known) / jobs)}, {jobs} at once"


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
