"""Planned runs → a comparison table: chosen on validation, compared over seeds, nothing dropped."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from iamm.report.notices import noticed
from iamm.report.plan import Column, Plan, PlannedRun
from iamm.report.records import RunFolder, read_result
from iamm.report.statistics import PAIRED_TESTS, estimate, holm
from iamm.report.table import Cell, Cost, Difference, Order, Row, Run, Table
from iamm.report.transfer import Result, comparable

ALPHA = 0.05
"""Level of the tests, after Holm's correction."""


class Choice(NamedTuple):
    """The learning rate that validation chose for a row in a setting, its runs, and what each rate reached."""

    rate: float | None
    runs: tuple[Run, ...]
    validation: Mapping[float, float]

    def results(self) -> dict[int, Result]:
        """By seed, of finished runs."""
        return {run.planned.seed: run.result for run in self.runs if run.result is not None}


Choices = Mapping[tuple[str, str], Choice]
"""By row and setting."""
Values = Mapping[tuple[str, str], Mapping[int, float] | None]
"""By row and column label: by seed; None where the row has no such scene."""


def build_table(plan: Plan, output_dir: Path) -> Table:
    """The table as far as its runs have come.

    Args:
        plan: of the table.
        output_dir: where the run folders lie.

    Raises:
        BadDataError: a result that cannot be read.
    """
    runs = tuple(observed(run, output_dir) for run in plan.runs)
    choices = {(row, setting): choose(runs, row, setting) for row in plan.rows for setting in plan.settings}
    values = {(row, column.label): measured(column, row, choices) for row in plan.rows for column in plan.columns}
    found = differences(plan, choices, values)
    rows = tuple(
        Row(
            row,
            {column.label: cell(plan, column, row, choices, values, found) for column in plan.columns},
            {setting: cost(plan, choices, row, setting) for setting in plan.settings},
        )
        for row in plan.rows
    )
    return Table(plan, rows, runs, orders(plan, rows), noticed(plan, rows, runs))


def observed(planned: PlannedRun, output_dir: Path) -> Run:
    folder = RunFolder(output_dir / planned.folder)
    state, reason = folder.state()
    return Run(planned, state, reason, read_result(folder.path) if state == "finished" else None)


def choose(runs: Iterable[Run], row: str, setting: str) -> Choice:
    """The rate with the most finished seeds and, among such, the best mean quality on validation.

    Test is not looked at. A rate of which a run failed so gives way to one without failures.
    """
    own = [run for run in runs if (run.planned.row, run.planned.setting) == (row, setting)]
    by_rate: dict[float, list[Run]] = {}
    for run in own:
        by_rate.setdefault(run.planned.rate, []).append(run)
    reached = {
        rate: [run.result["validation_quality"] for run in group if run.result is not None]
        for rate, group in by_rate.items()
    }
    validation = {rate: statistics.mean(found) for rate, found in reached.items() if found}
    if not validation:
        return Choice(None, tuple(own), validation)
    rate = max(validation, key=lambda rate: (len(reached[rate]), validation[rate]))
    return Choice(rate, tuple(by_rate[rate]), validation)


def measured(column: Column, row: str, choices: Choices) -> dict[int, float] | None:
    """A row's values by seed; None where its finished runs have no such scene, or it would be compared with itself."""
    results = choices[row, column.setting].results()
    if column.minus == row or any(value_of(column, result) is None for result in results.values()):
        return None
    found = {seed: value for seed, result in results.items() if (value := value_of(column, result)) is not None}
    if column.minus is None:
        return {seed: column.scale * value for seed, value in found.items()}
    rivals = choices[column.minus, column.setting].results()
    pairs = {seed: value_of(column, rivals[seed]) for seed in found if seed in rivals}
    return {seed: column.scale * (found[seed] - other) for seed, other in pairs.items() if other is not None}


def value_of(column: Column, result: Result) -> float | None:
    """What the run measured, 0 to 1 (losses: as they are); None where it has no such scene."""
    if column.scene is None:
        return statistics.mean(result["quality"].values())
    if column.measure == "quality":
        return result["quality"].get(column.scene)
    return result["test"].get(column.scene, {}).get(column.measure)


def differences(plan: Plan, choices: Choices, values: Values) -> dict[tuple[str, str], Difference]:
    """Each row against the first one, column by column; p corrected for all of these together (Holm 1979)."""
    found = {}
    for column in plan.columns:
        for row in plan.rows[1:]:
            pairs = paired(choices, values, plan.rows[0], row, column)
            if pairs:
                first, second = zip(*pairs, strict=True)
                changes = estimate([b - a for a, b in pairs])
                found[row, column.label] = (column, changes, PAIRED_TESTS[plan.test](first, second))
    adjusted = holm([p for _, _, p in found.values()])
    return {
        place: Difference(changes, p, corrected, verdict(column, changes.mean, corrected))
        for (place, (column, changes, p)), corrected in zip(found.items(), adjusted, strict=True)
    }


def paired(choices: Choices, values: Values, first: str, row: str, column: Column) -> list[tuple[float, float]]:
    """Values of both rows for each seed that both have finished on the same examples."""
    ours, theirs = values[first, column.label] or {}, values[row, column.label] or {}
    one, other = choices[first, column.setting].results(), choices[row, column.setting].results()
    shared = [seed for seed in ours if seed in theirs and same_examples(one[seed], other[seed])]
    return [(ours[seed], theirs[seed]) for seed in sorted(shared)]


def same_examples(one: Result, other: Result) -> bool:
    """Both runs saw the same data: equal sums or, where one has fewer views, an equal configuration of the data."""
    if set(one["quality"]) == set(other["quality"]):
        return one["data"] == other["data"]
    return comparable(one, other) or comparable(other, one)


def verdict(column: Column, change: float, p: float) -> str:
    if math.isnan(p):
        return "untested"
    if p >= ALPHA:
        return "tie"
    return "better" if (change < 0) == column.lower_is_better else "worse"


def cell(
    plan: Plan,
    column: Column,
    row: str,
    choices: Choices,
    values: Values,
    found: Mapping[tuple[str, str], Difference],
) -> Cell:
    measured = values[row, column.label]
    runs = choices[row, column.setting].runs
    seeds = {state: {run.planned.seed for run in runs if run.state == state} for state in ("finished", "failed")}
    done = set(measured or {})
    failed = seeds["failed"] - seeds["finished"]
    return Cell(
        measured or {},
        estimate([measured[seed] for seed in sorted(measured)]) if measured else None,
        found.get((row, column.label)),
        plan.claims.figures.get(row, {}).get(column.label) if plan.claims else None,
        len(set(plan.seeds) - done - failed),
        len(failed - done),
        measured is not None,
    )


def cost(plan: Plan, choices: Choices, row: str, setting: str) -> Cost:
    choice, first = choices[row, setting], choices[plan.rows[0], setting]
    results = list(choice.results().values())
    count, wanted = parameters(choice), parameters(first)
    compared = plan.tolerance is not None and count is not None and wanted is not None
    return Cost(
        choice.rate,
        choice.validation,
        count,
        abs(count - wanted) <= plan.tolerance * wanted if compared else None,  # type: ignore[operator]
        statistics.mean(result["seconds"] for result in results) if results else None,
        statistics.mean(result["peak_memory_mib"] for result in results) if results else None,
        choice.runs,
    )


def parameters(choice: Choice) -> int | None:
    """The largest count of the finished runs: data of another seed may give another vocabulary."""
    return max((result["parameters"] for result in choice.results().values()), default=None)


def orders(plan: Plan, rows: Sequence[Row]) -> tuple[Order, ...]:
    """For each column with claims, the claimed order beside ours."""
    if plan.claims is None:
        return ()
    return tuple(order(column, claimed, rows) for column in plan.columns if len(claimed := claims_of(plan, column)) > 1)


def claims_of(plan: Plan, column: Column) -> dict[str, float]:
    assert plan.claims is not None
    figures = plan.claims.figures
    return {row: figures[row][column.label] for row in plan.rows if column.label in figures.get(row, {})}


def order(column: Column, claimed: Mapping[str, float], rows: Sequence[Row]) -> Order:
    """Best first; a claim holds only if the first row is separated from each other one too."""
    cells = {row.label: row.cells[column.label] for row in rows if row.label in claimed}
    sign = 1 if column.lower_is_better else -1
    expected = tuple(sorted(claimed, key=lambda row: sign * claimed[row]))
    means = {row: found.estimate.mean for row, found in cells.items() if found.estimate}
    found = tuple(sorted(means, key=lambda row: sign * means[row]))
    if len(found) < len(expected):
        return Order(column.label, expected, found, "open")
    if found != expected:
        return Order(column.label, expected, found, "no")
    separated = all(cell.difference.verdict in ("better", "worse") for cell in cells.values() if cell.difference)
    return Order(column.label, expected, found, "yes" if separated else "in the means only")
