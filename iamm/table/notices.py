"""Notices for the reader of a table, a line each: runs that are missing or failed, unequal rows, mixed origins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from iamm.record.run_folder import Result
from iamm.table.fairness import other_budgets, other_examples, other_sizes, outnumbered
from iamm.table.pairing import ALPHA, bare
from iamm.table.plan import TablePlan
from iamm.table.statistics import smallest_p
from iamm.table.table import Row, Run


def collect_notices(plan: TablePlan, rows: Sequence[Row], runs: Sequence[Run]) -> tuple[str, ...]:
    """Collect the lines of every kind of notice."""
    results = [run.result for run in runs if run.result is not None]
    parts = (
        unfinished(runs),
        failures(runs),
        empty(plan, rows, runs),
        outnumbered(rows, runs),
        other_examples(plan, rows),
        other_sizes(plan, rows),
        other_budgets(rows),
        weak(plan, rows),
        mixed(results),
        data_notices(results),
    )
    return tuple(line for part in parts for line in part)


def unfinished(runs: Sequence[Run]) -> Iterator[str]:
    """Count the runs that are not finished, by state."""
    counts = Counter(run.state for run in runs if run.state != "finished")
    if counts:
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        provisional = " Everything here is provisional, learning rates too." if set(counts) != {"failed"} else ""
        yield f"{counts.total()} of {len(runs)} planned runs are not finished: {states}.{provisional}"


def failures(runs: Iterable[Run]) -> Iterator[str]:
    """Name each run that failed, with the first line of the reason."""
    for run in runs:
        if run.state == "failed":
            planned, reason = run.planned, run.reason.strip() or "it gave no reason"
            place = f"{planned.row}, {planned.setting}, learning rate {planned.rate:g}, seed {planned.seed}"
            yield f"Failed: {place}: {reason.splitlines()[0]}"


def empty(plan: TablePlan, rows: Sequence[Row], runs: Iterable[Run]) -> Iterator[str]:
    """Name the columns for which no finished run has a value: a misspelt measure, for example."""
    begun = {run.planned.setting for run in runs if run.result is not None}
    for column in plan.columns:
        if column.setting in begun and not any(row.cells[column.label].values for row in rows):
            scene = "every scene" if column.scene is None else column.scene
            less = f", or none to subtract of {column.minus}" if column.minus is not None else ""
            yield f"{column.label} is empty: no finished run in {column.setting} has {column.measure} of {scene}{less}."


def weak(plan: TablePlan, rows: Sequence[Row]) -> Iterator[str]:
    """Warn of too few seeds for any verdict, however large the differences are."""
    first, *others = rows
    compared = {
        (row.label, bare(column))
        for column in plan.columns
        for row in others
        if row.cells[column.label].applies and (first.cells[column.label].applies or column.minus == first.label)
    }
    least = smallest_p(plan.test, len(plan.seeds)) * len(compared)
    if compared and not least < ALPHA:  # nan where there can be no p at all
        yield (
            f"Too few seeds to separate rows: with {len(plan.seeds)}, and corrected for {len(compared)} comparisons, "
            f"the {plan.test} test gives no p below {ALPHA:g}."
        )


def mixed(results: Sequence[Result]) -> Iterator[str]:
    """Name commits, versions, threads and devices that differ between runs, and code that is in no commit."""
    packages = sorted({package for result in results for package in result["versions"]})
    kinds = {
        "commits": [result["commit"] or "unknown" for result in results],
        **{f"versions of {name}": [result["versions"].get(name, "unknown") for result in results] for name in packages},
        "numbers of threads": [str(result["threads"]) for result in results],
        "devices": [result["device"] for result in results],
    }
    for kind, values in kinds.items():
        counts = Counter(values)
        if len(counts) > 1:
            shares = ", ".join(f"{value} (runs: {count})" for value, count in sorted(counts.items()))
            yield f"The runs are of several {kind}: {shares}."
    changed = sum(commit.endswith("+changes") for commit in kinds["commits"])
    if changed:
        yield f"Made from code with changes that are in no commit: {changed} of {len(results)} finished runs."


def data_notices(results: Iterable[Result]) -> list[str]:
    """Repeat the notices of the runs' data sets, each line once."""
    return list(dict.fromkeys(line for result in results for line in result["notices"]))
