"""A comparison table as Markdown, to be read as it is or rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from iamm.table.plan import Column
from iamm.table.statistics import Estimate
from iamm.table.table import Cost, Row, Run, Table, TableCell
from iamm.table.write.wording import (
    NOTHING,
    claimed,
    count,
    digits,
    empty,
    figure,
    number,
    probability,
    run_groups,
    terms,
    verdict,
)

Strip = tuple[str, str, Sequence[str]]
"""A column of a grid: head, side (`<` or `>`), cells."""


def markdown(table: Table, links: str, *, costs: bool = True) -> str:
    """Write the whole table: conditions, results, costs, differences, claims, notices, links to all runs.

    Args:
        table: to be written.
        links: path from the written file's folder to the runs' folders, such as `../..`.
        costs: False leaves out time and memory: the text is then the same for any sweep over the same runs.
    """
    parts = [
        f"# {escaped(table.plan.title)}",
        table.plan.about.strip(),
        bullets(f"{name}: {escaped(text)}" for name, text in terms(table)),
        grid(results(table)),
        *section("Parameters and costs" if costs else "Parameters", grid(used(table, costs)), tolerance(table)),
        *section("Differences to the first row", grid(differences(table))),
        *section("Claimed orders", grid(orders(table))),
        *section("Notices", bullets(map(escaped, table.notices))),
        *section("Runs", bullets(runs(table, links))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def section(title: str, body: str, after: str = "") -> Sequence[str]:
    return (f"## {title}", body, after) if body else ()


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def grid(strips: Sequence[Strip]) -> str:
    """Write a table of the columns, padded so that it is also one in plain text; empty without cells."""
    padded = []
    for head, side, cells in strips:
        width = max(3, *map(len, (head, *cells)))
        rule = "-" * (width - 1) + (":" if side == ">" else "-")
        padded.append([f"{text:{side}{width}}" for text in (head, rule, *cells)])
    lines = [f"| {' | '.join(line)} |" for line in zip(*padded, strict=True)]
    return "\n".join(lines) if len(lines) > 2 else ""


def escaped(text: str) -> str:
    """Write text on one line and escape what Markdown would take for markup; code in backticks stays code."""
    line = re.sub(r"[\\|<*~$]", r"\\\g<0>", " ".join(text.split()))
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # inside a word it is none


def labels(table: Table) -> Strip:
    return "row", "<", [escaped(row.label) for row in table.rows]


def results(table: Table) -> list[Strip]:
    strips = [labels(table)]
    for column in table.plan.columns:
        cells = [row.cells[column.label] for row in table.rows]
        strips.append((escaped(column.label), ">", [result(cell, digits(column)) for cell in cells]))
        strips.append(("vs first", "<", [verdict(table, row, column) for row in table.rows]))
        if claimed(table, column):
            strips.append((f"claimed: {escaped(column.label)}", ">", [figure(cell.claim) for cell in cells]))
    return strips


def result(cell: TableCell, decimals: int) -> str:
    """Word a cell as `88.70 ± 0.31 [88.32, 89.08] n=5`; one seed has neither deviation nor interval."""
    estimate = cell.estimate
    if estimate is None:
        return empty(cell)
    mean = number(estimate.mean, decimals)
    if estimate.deviation is None:
        return f"{mean} n={count(cell)}"
    spread, low, high = (number(value, decimals) for value in (estimate.deviation, estimate.low, estimate.high))
    return f"{mean} ± {spread} [{low}, {high}] n={count(cell)}"


def used(table: Table, costs: bool) -> list[Strip]:
    """Return the columns of parameters and costs for each row in each setting, at its chosen learning rate."""
    plan = table.plan
    places = [(row.label, setting, row.costs[setting]) for row in table.rows for setting in plan.settings]
    strips: list[Strip] = [("row", "<", [escaped(row) for row, _, _ in places])]
    if len(plan.settings) > 1:
        strips.append(("setting", "<", [escaped(setting) for _, setting, _ in places]))
    strips.append(("parameters", ">", [parameters(cost) for _, _, cost in places]))
    if len(plan.rates) > 1:
        rates = [cost.rate for _, _, cost in places]
        strips.append(("learning rate", ">", [NOTHING if rate is None else f"{rate:g}" for rate in rates]))
    if costs:
        strips.append(("seconds", ">", [number(cost.seconds, 1) for _, _, cost in places]))
        strips.append(("MiB", ">", [number(cost.memory, 0) for _, _, cost in places]))
    return strips


def parameters(cost: Cost) -> str:
    """Word a count of parameters, marked where it is outside the table's tolerance."""
    if cost.parameters is None:
        return NOTHING
    return f"{cost.parameters:,}{' †' if cost.within is False else ''}"


def tolerance(table: Table) -> str:
    """Word how far parameters may differ, and the meaning of the mark."""
    share = table.plan.tolerance
    return "" if share is None else f"Tolerance: {100 * share:g} % of the first row's parameters; † lies outside."


def differences(table: Table) -> list[Strip]:
    found = [
        (column, row, difference)
        for column in table.plan.columns
        for row in table.rows
        if (difference := row.cells[column.label].difference)
    ]
    return [
        ("column", "<", [escaped(column.label) for column, _, _ in found]),
        ("row", "<", [escaped(row.label) for _, row, _ in found]),
        ("difference", ">", [number(each.estimate.mean, digits(column), "+") for column, _, each in found]),
        ("95 % interval", ">", [interval(column, each.estimate) for column, _, each in found]),
        ("n", ">", [str(each.estimate.n) for _, _, each in found]),
        ("p", ">", [probability(each.p) for _, _, each in found]),
        ("p (Holm)", ">", [probability(each.adjusted) for _, _, each in found]),
        ("verdict", "<", [each.verdict for _, _, each in found]),
    ]


def interval(column: Column, estimate: Estimate) -> str:
    if estimate.low is None:
        return NOTHING
    return f"[{number(estimate.low, digits(column), '+')}, {number(estimate.high, digits(column), '+')}]"


def orders(table: Table) -> list[Strip]:
    return [
        ("column", "<", [escaped(order.column) for order in table.orders]),
        ("claimed", "<", [ranked(order.claimed) for order in table.orders]),
        ("ours", "<", [ranked(order.found) for order in table.orders]),
        ("held", "<", [order.held for order in table.orders]),
    ]


def ranked(rows: Iterable[str]) -> str:
    return " > ".join(map(escaped, rows)) or NOTHING


def runs(table: Table, links: str) -> Iterator[str]:
    """Yield a line for each row, setting and learning rate: its quality on validation, and its runs by seed."""
    for row, setting, rate, group in run_groups(table):
        place = f"{escaped(row.label)}, {escaped(setting)}, learning rate {rate:g}"
        seeds = ", ".join(linked(run, links) for run in group)
        yield f"{place}{chosen(row, setting, rate)}: seeds {seeds}"


def chosen(row: Row, setting: str, rate: float) -> str:
    """Word a rate as ` (chosen; validation 88.10)`, as far as these are known."""
    cost = row.costs[setting]
    quality = cost.validation.get(rate)
    notes = ["chosen"] if rate == cost.rate else []
    notes += [] if quality is None else [f"validation {number(100 * quality, 2)}"]
    return f" ({'; '.join(notes)})" if notes else ""


def linked(run: Run, links: str) -> str:
    """Write a seed, as a link to the run's folder if there is one, and the run's state unless it is finished."""
    seed, folder = run.planned.seed, quote(f"{links}/{run.planned.folder}")
    if run.state == "missing":
        return f"{seed} missing"
    return f"[{seed}]({folder})" + ("" if run.state == "finished" else f" {run.state}")
