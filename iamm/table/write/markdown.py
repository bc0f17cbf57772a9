"""A comparison table as Markdown, to be read as it is or rendered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from iamm.output import printable
from iamm.table.statistics import Estimate
from iamm.table.table import Row, Run, Table, TableCell
from iamm.table.write.wording import (
    NOTHING,
    claimed,
    code_parts,
    count,
    empty,
    figure,
    number,
    parameters,
    probability,
    rate,
    run_groups,
    terms,
    verdict,
)


def markdown(table: Table, links: str, *, costs: bool = True) -> str:
    """Write the whole table: conditions, results, costs, differences, claims, notices, links to all runs.

    Args:
        table: to be written.
        links: path from the written file's folder to the runs' folders, such as `../..`.
        costs: False leaves out time and memory: the text is then the same for any sweep over the same runs.
    """
    parts = [
        f"# {escaped(table.plan.title)}",
        "\n".join(map(escaped, table.plan.about.strip().split("\n"))),
        bullets(f"{name}: {escaped(text)}" for name, text in terms(table)),
        results(table),
        *section("Parameters and costs" if costs else "Parameters", costs_grid(table, costs), tolerance(table)),
        *section("Differences to the first row", differences(table)),
        *section("Claimed orders", orders(table)),
        *section("Notices", bullets(map(escaped, table.notices))),
        *section("Runs", bullets(runs(table, links))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def section(title: str, body: str, after: str = "") -> Sequence[str]:
    return (f"## {title}", body, after) if body else ()


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def grid(heads: Sequence[str], sides: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table, padded so that it is also one in plain text; empty without rows.

    Args:
        heads: of the columns.
        sides: `<` or `>` for each column: where its text stands.
        rows: cells.
    """
    widths = [max(3, *map(len, column)) for column in zip(heads, *rows, strict=True)]
    rules = ["-" * (width - 1) + (":" if side == ">" else "-") for side, width in zip(sides, widths, strict=True)]
    lines = [
        " | ".join(f"{text:{side}{width}}" for text, side, width in zip(line, sides, widths, strict=True))
        for line in (heads, rules, *rows)
    ]
    return "\n".join(f"| {line} |" for line in lines) if rows else ""


def escaped(text: str) -> str:
    """Write text on one line and escape what Markdown would take for markup, links and pictures included.

    Code in backticks stays code.
    """
    parts = code_parts(printable(" ".join(text.split())))
    parts[::2] = [re.sub(r"[\\|<*~$`]|\](?=[(\[:])", r"\\\g<0>", part) for part in parts[::2]]
    parts[::2] = [re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", part) for part in parts[::2]]  # no markup inside a word
    parts[1::2] = [f"`{part.replace('|', '¦')}`" for part in parts[1::2]]
    return "".join(parts)


def results(table: Table) -> str:
    heads, sides = ["row"], "<"
    rows = [[escaped(row.label)] for row in table.rows]
    for column in table.plan.columns:
        with_claims = claimed(table, column)
        heads += [
            escaped(column.label),
            *(["vs first"] if column.compared else []),
            *([f"claimed: {escaped(column.label)}"] if with_claims else []),
        ]
        sides += ">" + "<" * column.compared + ">" * with_claims
        for row, cells in zip(table.rows, rows, strict=True):
            cell = row.cells[column.label]
            cells += [result(cell, column.kind.decimals), *([verdict(table, row, column)] if column.compared else [])]
            cells += [figure(cell.claim)] if with_claims else []
    return grid(heads, sides, rows)


def result(cell: TableCell, decimals: int) -> str:
    """Word a cell as `88.70 ± 0.31 [88.32, 89.08] n=5`; one seed has neither deviation nor interval."""
    estimate = cell.estimate
    if estimate is None:
        return empty(cell)
    spread = ""
    if estimate.deviation is not None:
        spread = f" ± {number(estimate.deviation, decimals)} {interval(estimate, decimals)}"
    return f"{number(estimate.mean, decimals)}{spread} n={count(cell)}"


def interval(estimate: Estimate, decimals: int, sign: str = "") -> str:
    if estimate.low is None:
        return NOTHING
    return f"[{number(estimate.low, decimals, sign)}, {number(estimate.high, decimals, sign)}]"


def costs_grid(table: Table, costs: bool) -> str:
    """Write parameters and costs of each row in each setting, at its chosen learning rate."""
    plan = table.plan
    shown = (True, len(plan.settings) > 1, bool(plan.shots), True, len(plan.rates) > 1, costs, costs)

    def chosen(values: Iterable[str]) -> list[str]:
        return [value for value, show in zip(values, shown, strict=True) if show]

    rows = [
        chosen(
            (
                *(escaped(row.label), escaped(setting), cost.reads),
                *(parameters(cost) + (" †" if cost.within is False else ""), rate(cost)),
                *(number(cost.seconds, 1), number(cost.memory, 0)),
            )
        )
        for row in table.rows
        for setting, cost in row.costs.items()
    ]
    heads = ("row", "setting", "reads of the target", "parameters", "learning rate", "seconds", "MiB")
    return grid(chosen(heads), chosen("<<<>>>>"), rows)


def tolerance(table: Table) -> str:
    """Word how far parameters may differ, and the meaning of the mark."""
    share = table.plan.tolerance
    return "" if share is None else f"Tolerance: {100 * share:g} % of the first row's parameters; † lies outside."


def differences(table: Table) -> str:
    rows = [
        [
            *(escaped(column.label), escaped(row.label), number(each.estimate.mean, column.kind.decimals, "+")),
            *(interval(each.estimate, column.kind.decimals, "+"), str(each.estimate.n)),
            *(probability(each.p), probability(each.adjusted), each.verdict),
        ]
        for column in table.plan.columns
        for row in table.rows
        if (each := row.cells[column.label].difference)
    ]
    heads = ("column", "row", "difference", "95 % interval", "n", "p", "p (Holm)", "verdict")
    return grid(heads, "<<>>>>><", rows)


def orders(table: Table) -> str:
    rows = [[escaped(each.column), ranked(each.claimed), ranked(each.found), each.held] for each in table.orders]
    return grid(("column", "claimed", "ours", "held"), "<<<<", rows)


def ranked(rows: Iterable[str]) -> str:
    return " > ".join(map(escaped, rows)) or NOTHING


def runs(table: Table, links: str) -> Iterator[str]:
    """Yield a line for each row, setting and learning rate: its quality on validation, and its runs by seed."""
    for row, setting, each, group in run_groups(table):
        place = f"{escaped(row.label)}, {escaped(setting)}, learning rate {each:g}"
        seeds = ", ".join(linked(run, links) for run in group)
        yield f"{place}{choice(row, setting, each)}: seeds {seeds}"


def choice(row: Row, setting: str, rate: float) -> str:
    """Word a rate as ` (chosen; validation 88.10)`, as far as these are known."""
    cost = row.costs[setting]
    quality = cost.validation.get(rate)
    parts = ["chosen"] if rate == cost.rate else []
    parts += [] if quality is None else [f"validation {number(100 * quality, 2)}"]
    return f" ({'; '.join(parts)})" if parts else ""


def linked(run: Run, links: str) -> str:
    """Write a seed, as a link to the run's folder if there is one, and the run's state unless it is finished."""
    seed, folder = run.planned.seed, quote(f"{links}/{run.planned.folder}")
    if run.state == "missing":
        return f"{seed} missing"
    return f"[{seed}]({folder})" + ("" if run.state == "finished" else f" {run.state}")
