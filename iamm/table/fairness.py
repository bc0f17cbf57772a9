"""Notices of what differs between rows, a line each: seeds of a learning rate, examples, parameters, budgets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from iamm.record.address import BUDGET
from iamm.record.run_folder import Result
from iamm.table.pairing import same_examples
from iamm.table.plan import TablePlan
from iamm.table.table import Cost, Row


def outnumbered(rows: Sequence[Row]) -> Iterator[str]:
    """Name learning rates that validate better than the chosen one, but over fewer seeds."""
    for row, setting, cost in costs(rows):
        for rate, quality in cost.validation.items():
            if cost.rate is not None and quality > cost.validation[cost.rate]:
                yield (
                    f"{row.label}, {setting}: learning rate {cost.rate:g} is taken, {rate:g} validates better but has "
                    f"{cost.finished[rate]} finished seeds instead of {cost.finished[cost.rate]}."
                )


def at_an_edge(rows: Sequence[Row]) -> Iterator[str]:
    """Name rows whose learning rate is the smallest or the largest of three or more that were tried."""
    for row, setting, cost in costs(rows):
        if cost.rate is not None and len(cost.validation) > 2:
            ends = {min(cost.validation): "below", max(cost.validation): "above"}
            if cost.rate in ends:
                yield (
                    f"{row.label}, {setting}: learning rate {cost.rate:g} is at the edge of those tried: a better one "
                    f"may lie {ends[cost.rate]}."
                )


def costs(rows: Iterable[Row]) -> Iterator[tuple[Row, str, Cost]]:
    return ((row, setting, cost) for row in rows for setting, cost in row.costs.items())


def other_examples(plan: TablePlan, rows: Sequence[Row]) -> Iterator[str]:
    """Name seeds at which a row read other examples than the row that it would be compared with."""
    by_label = {row.label: row for row in rows}
    rivals = dict.fromkeys((plan.rows[0], *(column.minus for column in plan.columns if column.minus is not None)))
    for rival in rivals:
        for row, setting, cost in costs(rows):
            seeds = seeds_with_other_examples(cost.results, by_label[rival].costs[setting].results)
            if seeds:
                names = ", ".join(map(str, seeds))
                yield f"{row.label} met other examples than {rival} in {setting}, so they are not paired: seed {names}."


def seeds_with_other_examples(results: dict[int, Result], rivals: dict[int, Result]) -> list[int]:
    """Return the seeds of both that have a scene in common, but not its examples."""
    pairs = {seed: (results[seed], rivals[seed]) for seed in sorted(results.keys() & rivals.keys())}
    shared = {seed: (one, other) for seed, (one, other) in pairs.items() if one["quality"].keys() & other["quality"]}
    return [seed for seed, (one, other) in shared.items() if not same_examples(one, other)]


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
        results, rivals = cost.results, rows[0].costs[setting].results
        pairs = [(budget(results[seed]), budget(rivals[seed])) for seed in results if seed in rivals]
        changes = [
            f"{name} {value} instead of {first[name]}"
            for here, first in pairs
            for name, value in here.items()
            if name in first and value != first[name]
        ]
        if changes:
            listed = ", ".join(dict.fromkeys(changes))
            yield f"{row.label} has another budget than {rows[0].label} in {setting}: {listed}."


def other_transfers(rows: Sequence[Row]) -> Iterator[str]:
    """Name the optimizer steps of each row's transfer, where they differ: those of an inner loop in each outer one."""
    found: dict[str, list[str]] = {}
    for row, _, cost in costs(rows):
        for result in cost.results.values():
            transfer = result["config"].get("transfer") or {}
            if "migration" in result and "steps" in transfer:
                inner = f" of {transfer['inner']} inner ones" if "inner" in transfer else ""
                found.setdefault(f"{transfer['steps']}{inner}", []).append(row.label)
    if len(found) > 1:
        listed = "; ".join(f"{steps}: {', '.join(dict.fromkeys(labels))}" for steps, labels in found.items())
        yield f"Transfers take other numbers of steps: {listed}."


def other_beginnings(rows: Sequence[Row]) -> Iterator[str]:
    """Name rows that begin from the model of another run."""
    for row, setting, cost in costs(rows):
        if any(result["config"].get("from") and "migration" not in result for result in cost.results.values()):
            yield f"{row.label} begins from another run in {setting}, whose training is not in its budget and costs."


def budget(result: Result) -> dict[str, Any]:
    """Return the budget of a run and, where it could not stop early, the steps that it took."""
    config = result["config"]
    spent = {"steps in all": result["steps"]} if config.get("patience") is None else {}
    return {name: config.get(name) for name in BUDGET if name != "seed"} | spent
