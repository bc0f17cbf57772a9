"""A comparison table from planned runs: chosen on validation, compared over seeds, nothing dropped."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from iamm.measure import Measure, measures_of, selects
from iamm.record.run_folder import Result
from iamm.table.notices import collect_notices
from iamm.table.orders import orders
from iamm.table.pairing import Differences, bare, differences, measured
from iamm.table.plan import Column, TablePlan
from iamm.table.selection import Choice, Choices, choose_rates
from iamm.table.statistics import Estimate, estimate
from iamm.table.table import Cost, Row, Run, Table, TableCell

QUALITIES = ("quality", "target")
"""The measures that are the quality of a scene, or of several, whatever it is there."""


def build_table(plan: TablePlan, runs: Sequence[Run]) -> Table:
    """Build the table as far as its runs have come; the same whatever the order in which they ended.

    Args:
        plan: of the table.
        runs: that it needs, as they were read.
    """
    plan = with_measures(plan, runs)
    choices = choose_rates(plan, runs)
    compared = differences(plan, choices)
    rows = tuple(
        Row(
            row,
            {column.label: cell(plan, column, row, choices, compared) for column in plan.columns},
            {setting: cost(plan, row, setting, choices) for setting in plan.settings},
        )
        for row in plan.rows
    )
    return Table(plan, rows, tuple(runs), orders(plan, rows, runs), collect_notices(plan, rows, runs))


def with_measures(plan: TablePlan, runs: Sequence[Run]) -> TablePlan:
    """Return the plan whose columns have the scale and the direction that the runs' results declare."""
    declared: dict[tuple[str | None, str], Measure] = {}
    for result in (run.result for run in runs if run.result is not None):
        for scene, measures in measures_of(result).items():
            for name, measure in measures.items():
                declared.setdefault((scene, name), measure)
    raw = any(selects_raw(run.result) for run in runs if run.result is not None)
    declared |= {(None, name): Measure(name, "raw") for name in QUALITIES if raw}
    columns = (
        replace(column, declared=declared.get((column.scene, plain_name(column.measure)), column.declared))
        for column in plan.columns
    )
    return replace(plan, columns=tuple(columns))


def selects_raw(result: Result) -> bool:
    """Return whether the quality of a scene is no share of 1: R² of a regression, a loss."""
    for scene, measures in measures_of(result).items():
        scales = {measure.scale for measure in measures.values() if selects(measure, scene, result)}
        if scales == {"raw"}:
            return True
    return False


def plain_name(measure: str) -> str:
    """Return the name of a measure that is taken otherwise: alone, under an attack or with test-time augmentation."""
    return re.sub("_(alone|attacked|augmented)$", "", measure)


def cell(plan: TablePlan, column: Column, row: str, choices: Choices, compared: Differences) -> TableCell:
    values = measured(column, row, choices)
    claim = plan.claims.figures.get(row, {}).get(column.label) if plan.claims else None
    if values is None:
        return TableCell({}, None, None, claim, 0, 0, applies=False)
    places = [(label, setting) for label in (row, column.minus) if label is not None for setting, _ in column.parts]
    failed = set().union(*(choices[place].failed() for place in places)) - values.keys()
    missing = set(plan.seeds) - values.keys() - failed
    if not values:
        return TableCell({}, None, None, claim, len(missing), len(failed))
    average = within_scale(estimate(list(values.values()), overlap=plan.overlap), column)
    return TableCell(values, average, compared.get((row, bare(column))), claim, len(missing), len(failed))


def within_scale(average: Estimate, column: Column) -> Estimate:
    """The estimate with its interval cut to 0 to 100 where the column holds shares: it covers the mean as often."""
    if not column.is_share or average.low is None or average.high is None or not math.isfinite(average.low):
        return average
    return average._replace(low=max(average.low, 0.0), high=min(average.high, 100.0))


def cost(plan: TablePlan, row: str, setting: str, choices: Choices) -> Cost:
    choice = choices[row, setting]
    count, reference = parameters(choice), parameters(choices[plan.rows[0], setting])
    within = None
    if plan.tolerance is not None and count is not None and reference is not None:
        within = abs(count - reference) <= plan.tolerance * reference
    results = choice.results.values()
    return Cost(
        choice.rate,
        choice.validation,
        count,
        within,
        fmean(result["seconds"] for result in results) if results else None,
        fmean(result["peak_memory_mib"] for result in results) if results else None,
        tuple(choice.runs),
        choice.finished,
    )


def parameters(choice: Choice) -> int | None:
    """Return the largest count of the finished runs: data of another seed may give another vocabulary."""
    return max((result["parameters"] for result in choice.results.values()), default=None)
