"""The orders of rows that a document claims, beside the measured ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import permutations
from statistics import fmean

from iamm.table.plan import Column, TablePlan
from iamm.table.table import Order, Row, Run, TableCell


def orders(plan: TablePlan, rows: Sequence[Row], runs: Sequence[Run]) -> tuple[Order, ...]:
    """Compare the orders in each column for which the document has figures of several rows."""
    awaited = {(run.planned.row, run.planned.setting) for run in runs if run.state not in ("finished", "failed")}
    columns = {column: [row for row in rows if row.cells[column.label].claim is not None] for column in plan.columns}
    return tuple(order(column, claimed, rows[0].label, awaited) for column, claimed in columns.items() if claimed[1:])


def order(column: Column, rows: Sequence[Row], first: str, awaited: Collection[tuple[str | None, str]]) -> Order:
    """Compare the claimed with the measured order; the means are over the seeds that all these rows have.

    Args:
        column: whose rows are ordered.
        rows: those with a claim.
        first: label of the table's first row.
        awaited: rows and settings with runs to come.
    """
    cells = {row.label: row.cells[column.label] for row in rows}
    sign = 1 if column.lower_is_better else -1
    claims = {row: sign * cell.claim for row, cell in cells.items() if cell.claim is not None}
    means = {row: sign * mean for row, mean in shared_means(cells).items()}
    steps = [(a, b) for a, b in permutations(cells, 2) if claims[a] < claims[b]]
    claimed, measured = (tuple(sorted(values, key=values.__getitem__)) for values in (claims, means))
    if len(measured) < len(claimed) or any((row, column.setting) in awaited for row in (*cells, column.minus)):
        held = "open"
    elif not all(means[a] < means[b] for a, b in steps):
        held = "no"
    else:
        held = "yes" if separated(first, steps, cells) else "in the means only"
    return Order(column.label, claimed, measured, held)


def shared_means(cells: Mapping[str, TableCell]) -> dict[str, float]:
    """Return the mean of each row with values, over the seeds that all such rows have; empty without such seeds."""
    values = {row: cell.values for row, cell in cells.items() if cell.values}
    seeds = [set(by_seed) for by_seed in values.values()]
    shared = sorted(set.intersection(*seeds)) if seeds else []
    return {row: fmean(by_seed[seed] for seed in shared) for row, by_seed in values.items() if shared}


def separated(first: str, steps: Sequence[tuple[str, str]], cells: Mapping[str, TableCell]) -> bool:
    """Return whether the tests separate the first row from each other as claimed."""
    verdicts = {row: cell.difference.verdict for row, cell in cells.items() if cell.difference}
    below = [verdicts.get(b) == "worse" for a, b in steps if a == first]
    above = [verdicts.get(a) == "better" for a, b in steps if b == first]
    return bool(below + above) and all(below + above)
