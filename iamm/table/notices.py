"""What a reader of a table must know, a line each: what is missing or failed, what was not equal, what was mixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from iamm.record.run_folder import Result
from iamm.table.fairness import other_budgets, other_examples, other_sizes, outnumbered
from iamm.table.pairing import ALPHA, bare
from iamm.table.plan import Plan
from iamm.table.statistics import smallest_p
from iamm.table.table import Row, Run


def noticed(plan: Plan, rows: Sequence[Row], runs: Sequence[Run]) -> tuple[str, ...]:
    results = [run.result for run in runs if run.result is not None]
    found = (
        unfinished(runs),
        failures(runs),
        empty(plan, rows, runs),
        outnumbered(rows, runs),
        other_examples(plan, rows),
        other_sizes(plan, rows),
        other_budgets(rows),
        weak(plan, rows),
        mixed(results),
        told(results),
    )
    return tuple(line for part in found for line in part)


def unfinished(runs: Sequence[Run]) -> Iterator[str]:
    """How many runs are not finished, by state."""
    counts = Counter(run.state for run in runs if run.state != "finished")
    if counts:
        states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        provisional = " Everything here is provisional, learning rates too." if set(counts) != {"failed"} else ""
        yield f"{counts.total()} of {len(runs)} planned runs are not finished: {states}.{provisional}"


def failures(runs: Iterable[Run]) -> Iterator[str]:
    """Each run that failed, with the first line of why."""
    for run in runs:
        if run.state == "failed":
            planned, reason = run.planned, run.reason.strip() or "it did not say why"
            place = f"{planned.row}, {planned.setting}, learning rate {planned.rate:g}, seed {planned.seed}"
            yield f"Failed: {place}: {reason.splitlines()[0]}"


def empty(plan: Plan, rows: Sequence[Row], runs: Iterable[Run]) -> Iterator[str]:
    """Columns that no finished run has a value for: a misspelt measure, say."""
    begun = {run.planned.setting for run in runs if run.result is not None}
    for column in plan.columns:
        if column.setting in begun and not any(row.cells[column.label].values for row in rows):
            scene = "every scene" if column.scene is None else column.scene
            less = f", or none to subtract of {column.minus}" if column.minus is not None else ""
            yield f"{column.label} is empty: no finished run in {column.setting} has {column.measure} of {scene}{less}."


def weak(plan: Plan, rows: Sequence[Row]) -> Iterator[str]:
    """Too few seeds for any verdict, however large the differences."""
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
    """Commits, versions, threads and devices that are not the same for all runs; commits that do not tell all."""
    packages = sorted({package for result in results for package in result["versions"]})
    kinds = {
        "commits": [result["commit"] or "unknown" for result in results],
        **{f"versions of {name}": [result["versions"].get(name, "unknown") for result in results] for name in packages},
        "numbers of threads": [str(result["threads"]) for result in results],
        "devices": [result["device"] for result in results],
    }
    for kind, found in kinds.items():
        counts = Counter(found)
        if len(counts) > 1:
            shares = ", ".join(f"{value} (runs: {count})" for value, count in sorted(counts.items()))
            yield f"The runs are of several {kind}: {shares}."
    changed = sum(commit.endswith("+changes") for commit in kinds["commits"])
    if changed:
        yield f"Made from code with changes that are in no commit: {changed} of {len(results)} finished runs."


def told(results: Iterable[Result]) -> list[str]:
    """What the runs' data sets had to say, each line once."""
    return list(dict.fromkeys(line for result in results for line in result["notices"]))
