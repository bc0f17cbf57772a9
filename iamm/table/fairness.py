"""Notices of what differs between rows, a line each: seeds of a learning rate, examples, parameters, budgets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from iamm.record.address import BUDGET
from iamm.record.run_folder import Result
from iamm.table.pairing import same_examples
from iamm.table.plan import TablePlan
from iamm.table.selection import grouped
from iamm.table.table import Cost, Row, Run


def outnumbered(rows: Sequence[Row], runs: Iterable[Run]) -> Iterator[str]:
    """Name learning rates that validate better than the chosen one, but over fewer seeds."""
    done = grouped((run for run in runs if run.result is not None), rate_of)
    for row, setting, cost in costs(rows):
        for rate, quality in cost.validation.items():
            if cost.rate is not None and quality > cost.validation[cost.rate]:
                seeds, taken = (len(done[row.label, setting, each]) for each in (rate, cost.rate))
                yield (
                    f"{row.label}, {setting}: learning rate {cost.rate:g} is taken, {rate:g} validates better but has "
                    f"{seeds} finished seeds instead of {taken}."
                )


def rate_of(run: Run) -> tuple[str, str, float]:
    return run.planned.row, run.planned.setting, run.planned.rate


def costs(rows: Iterable[Row]) -> Iterator[tuple[Row, str, Cost]]:
    return ((row, setting, cost) for row in rows for setting, cost in row.costs.items())


def other_examples(plan: TablePlan, rows: Sequence[Row]) -> Iterator[str]:
    """Name seeds at which a row read other examples than the row that it would be compared with."""
    by_label = {row.label: row for row in rows}
    rivals = dict.fromkeys((plan.rows[0], *(column.minus for column in plan.columns if column.minus is not None)))
    for rival in rivals:
        for row, setting, cost in costs(rows):
            seeds = seeds_with_other_examples(results_of(cost), results_of(by_label[rival].costs[setting]))
            if seeds:
                named = ", ".join(map(str, seeds))
                yield f"{row.label} met other examples than {rival} in {setting}, so they are not paired: seed {named}."


def seeds_with_other_examples(results: dict[int, Result], rivals: dict[int, Result]) -> list[int]:
    """Return the seeds of both that have a scene in common, but not its examples."""
    both = [(seed, results[seed], rivals[seed]) for seed in sorted(results.keys() & rivals.keys())]
    shared = [(seed, one, other) for seed, one, other in both if one["quality"].keys() & other["quality"].keys()]
    return [seed for seed, one, other in shared if not same_examples(one, other)]


def results_of(cost: Cost) -> dict[int, Result]:
    return {run.planned.seed: run.result for run in cost.runs if run.result is not None}


def other_sizes(plan: TablePlan, rows: Sequence[Row]) -> Iterator[str]:
    """Name rows whose parameters differ from the first row's by more than the table allows."""
    for row, setting, cost in costs(rows):
        if cost.within is False:
            yield (
                f"{row.label} has {cost.parameters:,} parameters in {setting}, {rows[0].label} "
                f"{rows[0].costs[setting].parameters:,}: they differ by more than {plan.tolerance:.0%}."
            )


def other_budgets(rows: Sequence[Row]) -> Iterator[str]:
    """Name rows that can train longer or shorter than the first one, or with other batches."""
    for row, setting, cost in costs(rows):
        results, rivals = results_of(cost), results_of(rows[0].costs[setting])
        pairs = [(budget(results[seed]), budget(rivals[seed])) for seed in results if seed in rivals]
        other = {
            f"{name} {own[name]} instead of {first[name]}": None
            for own, first in pairs
            for name in own
            if name in first and own[name] != first[name]
        }
        if other:
            yield f"{row.label} has another budget than {rows[0].label} in {setting}: {', '.join(other)}."


def budget(result: Result) -> dict[str, Any]:
    """Return the budget of a run and, where it could not stop early, the steps that it took."""
    config = result["config"]
    spent = {"steps in all": result["steps"]} if config.get("patience") is None else {}
    return {name: config.get(name) for name in BUDGET if name != "seed"} | spent
