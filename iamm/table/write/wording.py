"""The wording of a comparison table's figures, in any markup."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from iamm.table.migration import MEASURES
from iamm.table.pairing import ALPHA
from iamm.table.plan import Column, TablePlan
from iamm.table.selection import choosing, grouped
from iamm.table.statistics import Estimate
from iamm.table.table import Cost, Row, Run, Table, TableCell

TESTS = {"t": "paired t test", "wilcoxon": "Wilcoxon signed-rank test"}
"""The names of the tests by their keys in a plan."""

NOTHING = "–"


def number(value: float | None, decimals: int, sign: str = "") -> str:
    """Return the number, never with a minus before nothing but zeros; – for None and what is not finite.

    Args:
        value: to be written.
        decimals: digits behind the point.
        sign: `+` gives positive values their sign, too.
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"


def bounds(estimate: Estimate, column: Column, sign: str = "") -> str:
    """Word the interval of a mean as `88.32 to 89.08`; empty without one."""
    if estimate.low is None:
        return ""
    return " to ".join(number(value, column.kind.decimals, sign) for value in (estimate.low, estimate.high))


def probability(p: float) -> str:
    """Return three significant digits; – where the test gives no p."""
    return NOTHING if math.isnan(p) else f"{p:#.3g}"


def count(cell: TableCell) -> str:
    """Count the seeds as `5`, or `2 of 5: 2 missing, 1 failed`."""
    finished, lacking = len(cell.values), gaps(cell)
    return f"{finished} of {finished + cell.missing + cell.failed}: {lacking}" if lacking else str(finished)


def gaps(cell: TableCell) -> str:
    """Count the seeds that are missing and failed; empty without any."""
    seeds = {"missing": cell.missing, "failed": cell.failed}
    return ", ".join(f"{number} {state}" for state, number in seeds.items() if number)


def empty(cell: TableCell) -> str:
    """Word a cell without values: – where the row has no such scene, else the reason."""
    if not cell.applies:
        return NOTHING
    if cell.missing and cell.failed:
        return gaps(cell)
    return "failed" if cell.failed else "missing"


def verdict(table: Table, row: Row, column: Column) -> str:
    """Word a row against the first one; empty for that row itself and where there is nothing to compare."""
    first, cell = table.rows[0], row.cells[column.label]
    if cell.difference:
        return cell.difference.verdict
    comparable = column.compared and row is not first and cell.estimate and first.cells[column.label].applies
    return "untested" if comparable else ""


def claimed(table: Table, column: Column) -> bool:
    return any(row.cells[column.label].claim is not None for row in table.rows)


def figure(claim: float | None) -> str:
    """Return a figure as it stands in the document."""
    return NOTHING if claim is None else str(claim)


def parameters(cost: Cost) -> str:
    return NOTHING if cost.parameters is None else f"{cost.parameters:,}"


def rate(cost: Cost) -> str:
    return NOTHING if cost.rate is None else f"{cost.rate:g}"


def places(table: Table) -> Iterator[tuple[str, Cost]]:
    """Yield the label and the cost of each row in each setting; the label names one of several settings."""
    for row in table.rows:
        for setting, cost in row.costs.items():
            yield f"{row.label}, {setting}" if len(row.costs) > 1 else row.label, cost


def run_groups(table: Table) -> Iterator[tuple[Row, str, float, Sequence[Run]]]:
    """Yield row, setting, learning rate and the runs over the seeds, in the plan's order of each."""
    groups = grouped(table.runs, lambda run: run.planned.at_rate)
    for row, setting, rate in product(table.rows, table.plan.settings, table.plan.rates):
        if (row.label, setting, rate) in groups:
            yield row, setting, rate, groups[row.label, setting, rate]


def tried_rates(plan: TablePlan) -> Iterator[str]:
    """Yield the learning rates that the first row tries, then those of each row that tries others."""
    tried = {row: sorted({run.rate for run in plan.runs if run.row == row}) for row in plan.rows}
    common = tried.pop(plan.rows[0]) or plan.rates
    yield listed("learning rate", (f"{rate:g}" for rate in common))
    for row, rates in tried.items():
        if rates and rates != common:
            yield f"{row}: {listed('learning rate', (f'{rate:g}' for rate in rates))}"


def terms(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the terms of the comparison and their texts: the shared budget, the columns, the cells, the verdicts."""
    plan = table.plan
    budget = [f"{name} {value}" for name, value in plan.budget.items() if value is not None]
    budget += [listed("seed", map(str, plan.seeds)), *tried_rates(plan)]
    yield "Shared by all rows", f"{'; '.join(budget)}."
    tried = max(map(len, rates_by_place(plan).values()), default=0)
    if tried > 1:
        seeds = listed("seed", map(str, choosing(plan)))
        place = "the next target's validation, never the target's own" if plan.judges else "validation alone"
        choice = f"chosen for each row and setting on {place} (most finished seeds, then the best mean quality)"
        edges = " Of two rates each is an edge: a better one may lie beyond it." if tried == 2 else ""
        yield "Learning rate", f"{choice}, over {seeds}.{edges}"
    yield "Columns", f"{'; '.join(f'{column.label}: {described(table, column)}' for column in plan.columns)}."
    shares = ", shares within 0 to 100" if any(column.is_share for column in plan.columns) else ""
    yield "Cells", f"mean ± deviation (n − 1) [95 % interval of the mean by Student's t{shares}] over n seeds."
    yield (
        "Verdicts",
        f"against {plan.rows[0]}{tested_columns(plan)}, {TESTS[plan.test]} over the same seeds and data"
        f"{overlap(plan)}; p after Holm's correction for all comparisons of the table; "
        f"tie where p ≥ {ALPHA:g} or where mean and median of the differences disagree in sign.",
    )
    if plan.claims:
        yield "Claimed figures", f"{found_in(plan.claims.place)}; not measured here."


def rates_by_place(plan: TablePlan) -> dict[tuple[str, str], set[float]]:
    """Give the learning rates that each row tries in each setting."""
    rates: dict[tuple[str, str], set[float]] = {}
    for run in plan.runs:
        rates.setdefault((run.row, run.setting), set()).add(run.rate)
    return rates


def tested_columns(plan: TablePlan) -> str:
    compared = [column.label for column in plan.columns if column.compared]
    return "" if len(compared) == len(plan.columns) else f", in {', '.join(compared)}"


def overlap(plan: TablePlan) -> str:
    if not plan.overlap:
        return ""
    return f", with 1/n + {plan.overlap:.3g} for 1/n, since seeds learn from each other's test examples"


def found_in(place: str) -> str:
    """The place of claimed figures; after a source document of the project, the page that says what it is."""
    return re.sub(r"\bD[0-4]\b", r"\g<0> (docs/documents.md)", place, count=1)


def listed(noun: str, values: Iterable[str]) -> str:
    """Return `seed 0`, or `seeds 0, 1`."""
    first, *others = values
    return f"{noun}{'s' if others else ''} {', '.join((first, *others))}"


def described(table: Table, column: Column) -> str:
    """Describe a column: its measure, scene and setting, its scale, and its direction unless that is plain."""
    measure = f"{column.measure} of {column.scene}" if column.scene else "mean quality of the scenes"
    setting = f" in {column.setting}" if len(table.plan.settings) > 1 else ""
    if column.over or column.harmonic:
        areal = len(table.plan.shots) > 1 and len(column.over) == len(table.plan.settings)
        measure = MEASURES[column.measure]
        setting = ", mean over the targets" * bool(column.over) + " and over log₂(1 + labels)" * areal
    minus = f", minus that of {column.minus} with the same seed" if column.minus else ""
    percent = ["percent points"] if column.kind.scale == "percent" else []
    direction = ["lower is better"] if column.lower_is_better else [] if percent else ["higher is better"]
    return f"{measure}{setting}{minus} ({', '.join((*percent, *direction))})"


def code_parts(text: str) -> list[str]:
    """Split a text at its code in backticks: every second part is code."""
    return re.split(r"`([^`]+)`", text.strip())
