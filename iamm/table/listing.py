"""Which runs of a table are there, and what the missing ones will cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from rich.box import SIMPLE_HEAD
from rich.table import Table

from iamm.run.job import plain_console
from iamm.table.plan import Plan
from iamm.table.selection import grouped, observed
from iamm.table.table import Run

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
    places = grouped(runs, lambda run: (run.planned.row, run.planned.setting))
    costs = {place: cost(found, plan.seconds) for place, found in places.items()}
    table = Table(title=plan.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("row", "setting", *STATES, "one run", "to do"):
        table.add_column(name, justify="left" if name in ("row", "setting") else "right", overflow="fold")
    for place, found in places.items():
        table.add_row(*place, *line(found, costs[place]))
    console.print(table)
    for run in runs:
        if run.state == "failed":
            console.print(f"failed  {output_dir / run.planned.folder}: {run.reason}", soft_wrap=True)
    left = [costs[run.planned.row, run.planned.setting] for run in runs if run.state != "finished"]
    console.print(f"{len(runs) - len(left)} of {len(runs)} runs are finished; {outlook(left, jobs)}.", soft_wrap=True)


def cost(runs: Iterable[Run], expected: float | None) -> float | None:
    """Seconds of one run: the mean of those that are finished, else what the table expects."""
    seen = [run.result["seconds"] for run in runs if run.result is not None]
    return fmean(seen) if seen else expected


def line(runs: Sequence[Run], cost: float | None) -> list[str]:
    """How many are in each state; what one costs, and all that are not finished."""
    counts = Counter(run.state for run in runs)
    left = len(runs) - counts["finished"]
    costs = ["?", "?"] if cost is None else [duration(cost), duration(left * cost)]
    return [*(str(counts[state] or "–") for state in STATES), *costs]


def outlook(left: Sequence[float | None], jobs: int) -> str:
    """What is to be done, by so many at once.

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
