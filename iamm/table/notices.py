"""Notices for the reader of a table, a line each: runs that are missing or failed, empty columns, mixed origins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from iamm.record.run_folder import Result
from iamm.table.fairness import (
    at_an_edge,
    other_beginnings,
    other_budgets,
    other_examples,
    other_sizes,
    other_transfers,
    outnumbered,
)
from iamm.table.pairing import ALPHA, bare
from iamm.table.plan import TablePlan
from iamm.table.statistics import smallest_p
from iamm.table.table import Row, Run

PLURALS = {"commit": "commits", "threads": "numbers of threads", "device": "devices", "BLEU": "signatures of BLEU"}
"""The origins that a notice names otherwise than as versions."""


def collect_notices(plan: TablePlan, rows: Sequence[Row], runs: Sequence[Run]) -> tuple[str, ...]:
    """Collect the lines of every kind of notice."""
    results = [run.result for run in runs if run.result is not None]
    return (
        *unfinished(runs),
        *failures(runs),
        *empty(plan, rows, runs),
        *outnumbered(rows),
        *at_an_edge(rows),
        *other_examples(plan, rows),
        *other_sizes(plan, rows),
        *other_budgets(rows),
        *other_transfers(rows),
        *other_beginnings(rows),
        *weak(plan, rows),
        *mixed(results),
        *dict.fromkeys(line for result in results for line in result["notices"]),  # of the data sets
    )


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
        if column.compared
        and row.cells[column.label].applies
        and (first.cells[column.label].applies or column.minus == first.label)
    }
    least = smallest_p(plan.test, len(plan.seeds)) * len(compared)
    if compared and not least < ALPHA:  # nan with too few seeds for any p
        yield (
            f"Too few seeds to separate rows: with {len(plan.seeds)}, and corrected for {len(compared)} "
            f"comparison{'s' * (len(compared) > 1)}, the {plan.test} test gives no p below {ALPHA:g}."
        )


def mixed(results: Sequence[Result]) -> Iterator[str]:
    """Name commits, versions, threads and devices that differ between runs, and code that is in no commit."""
    for name, counts in origins(results).items():
        if len(counts) > 1:
            shares = ", ".join(f"{value} (runs: {count})" for value, count in sorted(counts.items()))
            yield f"The runs are of several {PLURALS.get(name, f'versions of {name}')}: {shares}."
    changed = sum("+changes" in str(result["commit"]) for result in results)
    if changed:
        yield f"Made from code with changes that are in no commit: {changed} of {len(results)} finished runs."


def origins(results: Sequence[Result]) -> dict[str, Counter[str]]:
    """Count the finished runs by commit, by the version of each package, by threads, device and BLEU signature."""
    packages = sorted({name for result in results for name in result["versions"]})
    return {
        "commit": Counter(str(result["commit"] or "unknown") for result in results),
        **{name: Counter(str(result["versions"].get(name, "unknown")) for result in results) for name in packages},
        "threads": Counter(str(result["threads"]) for result in results),
        "device": Counter(str(result["device"]) for result in results),
        "BLEU": Counter(result["bleu_signature"] for result in results if result.get("bleu_signature")),
    }
