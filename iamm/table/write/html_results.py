"""Values for the figures of an HTML report: the axis of each column, and the rows in their settings."""

from __future__ import annotations

import math
from collections.abc import Iterator

from iamm.table.plan import Column
from iamm.table.table import Row, Table, TableCell
from iamm.table.write.axis import Axis, value_axis


def column_axis(table: Table, column: Column) -> Axis | None:
    """Return one axis that all finite values of a column fit on, or None where there are none."""
    cells = (row.cells[column.label] for row in table.rows)
    values = [value for cell in cells for value in drawn_values(cell) if math.isfinite(value)]
    return value_axis(values, 4, 126) if values else None


def drawn_values(cell: TableCell) -> Iterator[float]:
    """Yield the value of each seed, the ends of the interval, and the claim."""
    yield from cell.values.values()
    ends = (cell.estimate.low, cell.estimate.high) if cell.estimate else ()
    yield from (value for value in (*ends, cell.claim) if value is not None)


def places(table: Table) -> Iterator[tuple[Row, str, str]]:
    """Yield row, setting, and the label of both, which names the setting only where there are several."""
    for row in table.rows:
        for setting in table.plan.settings:
            yield row, setting, f"{row.label}, {setting}" if len(table.plan.settings) > 1 else row.label
