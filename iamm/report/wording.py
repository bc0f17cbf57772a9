"""How the figures of a comparison table read, in any markup."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from iamm.report.plan import RAW, Column
from iamm.report.table import Cell, Row, Run, Table

TESTS = {"t": "paired t test", "wilcoxon": "Wilcoxon signed-rank test"}
"""By the plan's word for them."""

NOTHING = "–"


def digits(column: Column) -> int:
    """Decimals: 2 of percent points, 4 of losses."""
    return 4 if column.measure in RAW else 2


def number(value: float | None, decimals: int, sign: str = "") -> str:
    """With `sign="+"` also that of positive values; never a minus before nothing but zeros; – for None."""
    if value is None:
        return NOTHING
    return f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"


def probability(p: float) -> str:
    """Three significant digits; – where the test could give none."""
    return NOTHING if math.isnan(p) else f"{p:#.3g}"


def count(cell: Cell) -> str:
    """`5`, or `2 of 5: 2 missing, 1 failed`."""
    done = len(cell.values)
    lacking = gaps(cell)
    return f"{done} of {done + cell.missing + cell.failed}: {lacking}" if lacking else str(done)


def gaps(cell: Cell) -> str:
    """How many seeds are missing and failed; empty where none is."""
    found = {"missing": cell.missing, "failed": cell.failed}
    return ", ".join(f"{seeds} {state}" for state, seeds in found.items() if seeds)


def empty(cell: Cell) -> str:
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
