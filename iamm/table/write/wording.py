"""How the figures of a comparison table read, in any markup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from iamm.table.pairing import ALPHA
from iamm.table.plan import Column
from iamm.table.statistics import Estimate
from iamm.table.table import Row, Run, Table, TableCell

TESTS = {"t": "paired t test", "wilcoxon": "Wilcoxon signed-rank test"}
"""By the plan's word for them."""

NOTHING = "–"


def digits(column: Column) -> int:
    """Decimals: 2 of percent points, 4 of what is shown as it is."""
    return column.kind.decimals


def number(value: float | None, decimals: int, sign: str = "") -> str:
    """With `sign="+"` also that of positive values; never a minus before nothing but zeros; – for None and what is not
    finite."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"


def bounds(estimate: Estimate, column: Column, sign: str = "") -> str:
    """Word the interval of a mean as `88.32 to 89.08`; empty where there is none."""
    if estimate.low is None:
        return ""
    return " to ".join(number(value, digits(column), sign) for value in (estimate.low, estimate.high))


def probability(p: float) -> str:
    """Three significant digits; – where the test could give none."""
    return NOTHING if math.isnan(p) else f"{p:#.3g}"


def count(cell: TableCell) -> str:
    """`5`, or `2 of 5: 2 missing, 1 failed`."""
    done = len(cell.values)
    lacking = gaps(cell)
    return f"{done} of {done + cell.missing + cell.failed}: {lacking}" if lacking else str(done)


def gaps(cell: TableCell) -> str:
    """How many seeds are missing and failed; empty where none is."""
    found = {"missing": cell.missing, "failed": cell.failed}
    return ", ".join(f"{seeds} {state}" for state, seeds in found.items() if seeds)


def empty(cell: TableCell) -> str:
    """What stands in a cell without values: – where the row has no such scene, else why there are none."""
    if not cell.applies:
        return NOTHING
    if cell.missing and cell.failed:
        return gaps(cell)
    return "failed" if cell.failed else "missing"


def verdict(table: Table, row: Row, column: Column) -> str:
    """Of a row against the first one; empty for that row itself and where there is nothing to compare."""
    first, cell = table.rows[0], row.cells[column.label]
    if cell.difference:
        return cell.difference.verdict
    comparable = row is not first and cell.estimate and first.cells[column.label].applies
    return "untested" if comparable else ""


def claimed(table: Table, column: Column) -> bool:
    return any(row.cells[column.label].claim is not None for row in table.rows)


def figure(claim: float | None) -> str:
    """As it stands in the document."""
    return NOTHING if claim is None else str(claim)


def run_groups(table: Table) -> Iterator[tuple[Row, str, float, Sequence[Run]]]:
    """Row, setting, learning rate and the runs over the seeds, in the plan's order of each."""
    groups: dict[tuple[str, str, float], list[Run]] = {}
    for run in table.runs:
        groups.setdefault((run.planned.row, run.planned.setting, run.planned.rate), []).append(run)
    for row in table.rows:
        for setting in table.plan.settings:
            for rate in table.plan.rates:
                yield row, setting, rate, groups.get((row.label, setting, rate), ())


def terms(table: Table) -> Iterator[tuple[str, str]]:
    """What all rows shared, how a learning rate was chosen, what the cells say, and how they were compared: by name."""
    plan = table.plan
    budget = [f"{name} {value}" for name, value in plan.budget.items()]
    budget += [listed("seed", map(str, plan.seeds)), listed("learning rate", (f"{rate:g}" for rate in plan.rates))]
    yield "Shared by all rows", f"{'; '.join(budget)}."
    if len(plan.rates) > 1:
        yield (
            "Learning rate",
            "chosen for each row and setting on validation alone (most finished seeds, then the best mean quality).",
        )
    yield "Columns", f"{'; '.join(f'{column.label}: {described(table, column)}' for column in plan.columns)}."
    yield "Cells", "mean ± deviation (n − 1) [95 % interval] over n seeds."
    yield (
        "Verdicts",
        f"against {plan.rows[0]}, {TESTS[plan.test]} over the same seeds and data; "
        f"p after Holm's correction for all comparisons of the table; "
        f"tie where p ≥ {ALPHA:g} or where mean and median of the differences disagree in sign.",
    )
    if plan.claims:
        yield "Claimed figures", f"{plan.claims.place}; not measured here."


def listed(noun: str, values: Iterable[str]) -> str:
    """`seed 0`, `seeds 0, 1`."""
    first, *others = values
    return f"{noun}{'s' if others else ''} {', '.join((first, *others))}"


def described(table: Table, column: Column) -> str:
    """What a column measures."""
    measured = f"{column.measure} of {column.scene}" if column.scene else "mean quality of the scenes"
    place = f" in {column.setting}" if len(table.plan.settings) > 1 else ""
    minus = f", minus that of {column.minus} with the same seed" if column.minus else ""
    return f"{measured}{place}{minus} ({unit(column)})"


def unit(column: Column) -> str:
    """On which scale a column stands, and its direction where that does not go without saying."""
    percent = ["percent points"] if column.kind.scale == "percent" else []
    direction = ["lower is better"] if column.lower_is_better else [] if percent else ["higher is better"]
    return ", ".join((*percent, *direction))
