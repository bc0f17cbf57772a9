"""What a reader of a table must know, a line each: what is missing or failed, what was not equal, what was mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from iamm.report.plan import Plan
from iamm.report.statistics import smallest_p
from iamm.report.table import Row, Run


def noticed(plan: Plan, rows: Sequence[Row], runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(
        line for part in (unfinished(runs), unequal(plan, rows), weak(plan), mixed(runs), told(runs)) for line in part
    )


def unfinished(runs: Sequence[Run]) -> Iterator[str]:
    """How many runs are not finished, by state; why, of those that failed."""
    counts = Counter(run.state for run in runs if run.state != "finished")
    if counts:
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        yield (
            f"{counts.total()} of {len(runs)} planned runs are not finished: {states}. "
            "Chosen learning rates are provisional."
        )
    for run in runs:
        if run.state == "failed":
            yield f"Failed: {name(run)}: {run.reason}"


def name(run: Run) -> str:
    planned = run.planned
    return f"{planned.row}, {planned.setting}, learning rate {planned.rate:g}, seed {planned.seed}"


def unequal(plan: Plan, rows: Sequence[Row]) -> Iterator[str]:
    """Rows whose parameters differ from the first row's by more than the table allows."""
    for row in rows:
        for setting, cost in row.costs.items():
            if cost.within is False:
                first = rows[0].costs[setting].parameters
                yield (
                    f"{row.label} has {cost.parameters:,} parameters in {setting}, {rows[0].label} {first:,}: "
                    f"they differ by more than {plan.tolerance:.0%}."
                )


def weak(plan: Plan) -> Iterator[str]:
    least = smallest_p(plan.test, len(plan.seeds))
    if least >= 0.05:
        count = len(plan.seeds)
        yield f"With {count} seeds the {plan.test} test cannot give p below {least:.3g}: nothing can separate."


def mixed(runs: Sequence[Run]) -> Iterator[str]:
    """Commits, versions, threads and devices that are not the same for all runs."""
    results = [run.result for run in runs if run.result is not None]
    kinds = {
        "commits": (str(result["commit"]) for result in results),
        "versions of torch": (result["versions"]["torch"] for result in results),
        "numbers of threads": (str(result["threads"]) for result in results),
        "devices": (result["device"] for result in results),
    }
    for kind, found in kinds.items():
        counts = Counter(found)
        if len(counts) > 1:
            shares = ", ".join(f"{value} ({count} runs)" for value, count in sorted(counts.items()))
            yield f"The runs are of several {kind}: {shares}."


def told(runs: Iterable[Run]) -> list[str]:
    """What the runs' data sets had to say, each line once."""
    return list(dict.fromkeys(line for run in runs if run.result is not None for line in run.result["notices"]))
