"""The figures of a table in an HTML report: results, costs, differences, claimed orders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from iamm.table.plan import Column, Plan
from iamm.table.table import Cell, Cost, Difference, Row, Run, Table
from iamm.table.write.axis import Axis, value_axis
from iamm.table.write.page import escaped, grid, link
from iamm.table.write.svg import interval
from iamm.table.write.wording import (
    NOTHING,
    claimed,
    count,
    digits,
    empty,
    figure,
    gaps,
    number,
    probability,
    verdict,
)

SIGNS = {"better": "▲", "worse": "▼", "tie": "=", "untested": "?"}
"""So that a verdict is no matter of colour alone."""


def results(table: Table, links: str) -> str:
    """A cell for each row and column: mean, interval, verdict, claim, and the runs behind it."""
    columns = table.plan.columns
    heads = ["row", *(f"{escaped(column.label)}{arrow(column)}" for column in columns)]
    cells = {column.label: column_cells(table, column, links) for column in columns}
    rows = ([escaped(row.label), *(cells[column.label][row.label] for column in columns)] for row in table.rows)
    caption = (
        "Mean ± deviation over seeds, verdict against the first row; drawn: 95 % interval, seeds as dots, "
        "the first row's mean as a dotted line"
    )
    drawn = ", the claimed figure as a diamond" if any(claimed(table, column) for column in columns) else ""
    return grid(f"{caption}{drawn}. Each seed links to the folder of its run.", heads, rows)


def arrow(column: Column) -> str:
    return ' <span title="lower is better">↓</span>' if column.lower_is_better else ""


def column_cells(table: Table, column: Column, links: str) -> dict[str, str]:
    """By row."""
    axis = column_axis([row.cells[column.label] for row in table.rows])
    first = table.rows[0].cells[column.label].estimate
    reference = first.mean if first and math.isfinite(first.mean) else None
    return {row.label: result(table, row, column, axis, reference, links) for row in table.rows}


def column_axis(cells: Iterable[Cell]) -> Axis | None:
    """All that is drawn of a column: on one scale. None where there is nothing."""
    values = [value for cell in cells for value in drawn_values(cell) if math.isfinite(value)]
    return value_axis(values, 4, 126) if values else None


def drawn_values(cell: Cell) -> Iterator[float]:
    yield from cell.values.values()
    ends = (cell.estimate.low, cell.estimate.high) if cell.estimate else ()
    yield from (value for value in (*ends, cell.claim) if value is not None)


def result(table: Table, row: Row, column: Column, axis: Axis | None, reference: float | None, links: str) -> str:
    cell = row.cells[column.label]
    said = verdict(table, row, column)
    parts = [f'<span class="nowrap">{mean(cell, column)}{" " * bool(said)}{badge(said)}</span>']
    if axis and (cell.values or cell.claim is not None):
        parts.append(interval(cell, axis, reference))
    claim = "" if cell.claim is None else f"claimed {figure(cell.claim)}"
    seeds = run_links(table.plan, row.costs[column.setting], links) if cell.applies else ""
    lines = (joined(span(cell, column), claim), joined(n(cell), seeds))
    return "".join([*parts, *(f"<small>{line}</small>" for line in lines if line)])


def joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def mean(cell: Cell, column: Column) -> str:
    """`88.70 ± 0.31`, or why there is none."""
    found = cell.estimate
    if found is None:
        return f'<span class="gap">{empty(cell)}</span>' if cell.applies else empty(cell)
    spread = "" if found.deviation is None else f" ± {number(found.deviation, digits(column))}"
    return f"<strong>{number(found.mean, digits(column))}</strong>{spread}"


def span(cell: Cell, column: Column) -> str:
    """`88.32 to 89.08`."""
    found = cell.estimate
    if found is None or found.low is None:
        return ""
    return f"{number(found.low, digits(column))} to {number(found.high, digits(column))}"


def n(cell: Cell) -> str:
    if not cell.values:
        return ""
    return f'n = <span class="gap">{count(cell)}</span>' if gaps(cell) else f"n = {count(cell)}"


def badge(said: str) -> str:
    return f'<span class="{said} nowrap">{SIGNS[said]} {said}</span>' if said else ""


def run_links(plan: Plan, cost: Cost, links: str) -> str:
    """The seeds of the chosen learning rate, or of all rates before one is chosen, that have a folder."""
    several = cost.rate is None and len(plan.rates) > 1
    there = [run for run in cost.runs if run.state != "missing"]
    shown = [linked(run, links, f" at {run.planned.rate:g}" if several else "") for run in there]
    return f"seed {', '.join(shown)}" if shown else ""


def linked(run: Run, links: str, more: str = "") -> str:
    """The seed, as a link to the run's folder if there is one, and what became of the run unless it is finished."""
    seed = f"{run.planned.seed}{more}"
    shown = seed if run.state == "missing" else link(f"{links}/{run.planned.folder}", seed)
    return shown if run.state == "finished" else f'<span class="gap nowrap">{shown} {escaped(run.state)}</span>'


def places(table: Table) -> Iterator[tuple[Row, str, str]]:
    """Row, setting, and both as they are shown: the setting only where there are several."""
    for row in table.rows:
        for setting in table.plan.settings:
            yield row, setting, escaped(f"{row.label}, {setting}" if len(table.plan.settings) > 1 else row.label)


def costs_table(table: Table, costs: bool) -> str:
    """Parameters, chosen learning rate and, with `costs`, time and memory of each row in each setting."""
    heads = ["row", "parameters", "learning rate", *(("seconds", "peak MiB") if costs else ())]
    rows = []
    for row, setting, shown in places(table):
        cost = row.costs[setting]
        spent = [number(cost.seconds, 1), number(cost.memory, 0)] if costs else []
        rows.append([shown, parameters(cost), NOTHING if cost.rate is None else f"{cost.rate:g}", *spent])
    share = table.plan.tolerance
    said = "" if share is None else f" † differs by more than {100 * share:g} % from the first row's parameters."
    means = " Time and memory are means over the finished seeds." if costs else ""
    return grid(f"At the chosen learning rate.{means}{said}", heads, rows)


def parameters(cost: Cost) -> str:
    if cost.parameters is None:
        return NOTHING
    return f"{cost.parameters:,}" + (' <span class="gap">†</span>' if cost.within is False else "")


def differences(table: Table) -> str:
    """Each row minus the first one, with its test."""
    heads = ["row", "column", "difference", "95 % interval", "n", "p", "p (Holm)", "verdict"]
    rows = [
        [escaped(row.label), escaped(column.label), *difference(found, column)]
        for column in table.plan.columns
        for row in table.rows
        if (found := row.cells[column.label].difference)
    ]
    return grid(f"Each row minus {escaped(table.plan.rows[0])}, over the seeds that both have.", heads, rows)


def difference(found: Difference, column: Column) -> Sequence[str]:
    mean, low, high = (
        number(each, digits(column), "+") for each in (found.estimate.mean, found.estimate.low, found.estimate.high)
    )
    span = NOTHING if found.estimate.low is None else f"{low} to {high}"
    p, adjusted = probability(found.p), probability(found.adjusted)
    return [mean, f'<span class="nowrap">{span}</span>', str(found.estimate.n), p, adjusted, badge(found.verdict)]


def orders(table: Table) -> str:
    """What the document says of the order of rows, beside ours."""
    rows = [
        [escaped(order.column), ranked(order.claimed), ranked(order.found), escaped(order.held)]
        for order in table.orders
    ]
    return grid("Best first.", ["column", "claimed", "ours", "held"], rows)


def ranked(rows: Iterable[str]) -> str:
    return " › ".join(map(escaped, rows)) or NOTHING
