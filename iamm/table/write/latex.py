"""A comparison table as LaTeX, to be pasted in a paper; needs the packages booktabs and graphicx."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from iamm.output import printable
from iamm.table.plan import Column
from iamm.table.table import Cost, Row, Table
from iamm.table.write.wording import (
    NOTHING,
    TESTS,
    claimed,
    count,
    empty,
    figure,
    found_in,
    gaps,
    number,
    parameters,
    rate,
    tested_columns,
    verdict,
)

SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "_%&#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", NOTHING: "--"}
    | {character: f"{{{character}}}" for character in "[*"}  # at the start of a line, `\\` would take them for its own
)

MARKS = {"tie": r"^{\circ}", "untested": "^{?}"}
"""Marks of a mean that no test separates from the first row's."""

Strip = tuple[str, str, Sequence[str]]
"""A column: head, side (`l` or `r`), cells; all of it LaTeX."""


def latex(table: Table, *, costs: bool = True) -> str:
    """Write a `table` environment with the label `tab:` and the table's name, and one with claims and costs.

    What is wider than a line of text is scaled down to it.

    Bold is the best mean of a column, and only if the tests say so: better than the first row or, for the first row
    itself, every other row worse.

    Args:
        table: to be written.
        costs: False leaves out time and memory.
    """
    name = re.sub("[^A-Za-z0-9_.:-]", "-", table.plan.name)
    more = [labels(table), *claims(table), *costs_of(table, costs)]
    title = f"{escaped(table.plan.title).rstrip('.')}: {'claimed figures and ' if table.plan.claims else ''}costs."
    parts = (caption(table), name, results(table)), (f"{title} {remarks(table)}".rstrip(), f"{name}-costs", more)
    return "% needs \\usepackage{booktabs,graphicx}\n" + "\n".join(environment(*part) for part in parts)


def environment(caption: str, name: str, strips: Sequence[Strip]) -> str:
    heads, sides, cells = zip(*strips, strict=True)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{name}}}",
        r"\setlength{\abovetopsep}{1ex}",  # between the caption and the first rule
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{''.join(sides)}}}",
        r"\toprule",
        line(heads),
        r"\midrule",
        *map(line, zip(*cells, strict=True)),
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def escaped(text: str) -> str:
    """Write text on one line, each special character as one that is printed."""
    return printable(" ".join(text.split())).translate(SPECIAL)


def caption(table: Table) -> str:
    plan = table.plan
    first, test, places = escaped(plan.rows[0]), TESTS[plan.test], escaped(tested_columns(plan))
    verdicts = {verdict(table, row, column) for row in table.rows for column in plan.columns}
    sentences = {
        f"{escaped(plan.title).rstrip('.')}.": True,
        rf"Mean $\pm$ deviation over seeds ($n = {len(plan.seeds)}$).": True,
        f"Compared with {first} by a {test} with Holm's correction{places}; bold: best mean, separated by it.": True,
        f"${MARKS['tie']}$: tie with {first}.": "tie" in verdicts,
        f"${MARKS['untested']}$: too few seeds to be tested.": "untested" in verdicts,
    }
    return " ".join(sentence for sentence, applies in sentences.items() if applies)


def remarks(table: Table) -> str:
    """Explain the marks of the second table."""
    plan = table.plan
    oversize = any(cost.within is False for row in table.rows for cost in row.costs.values())
    share = rf"{100 * (plan.tolerance or 0):g}\,\%"
    sentences = {
        rf"$^{{\dagger}}$: differs by more than {share} from the first row's parameters.": oversize,
        f"Claimed figures: {escaped(found_in(plan.claims.place) if plan.claims else '')}.": plan.claims,
    }
    return " ".join(sentence for sentence, applies in sentences.items() if applies)


def labels(table: Table) -> Strip:
    return "", "l", [escaped(row.label) for row in table.rows]


def claims(table: Table) -> Iterator[Strip]:
    """Yield the claimed figures of each column that has some."""
    for column in table.plan.columns:
        if claimed(table, column):
            figures = [escaped(figure(row.cells[column.label].claim)) for row in table.rows]
            yield f"{escaped(column.label)}, claimed", "r", figures


def results(table: Table) -> list[Strip]:
    strips = [labels(table)]
    for column in table.plan.columns:
        bold = best(table, column)
        cells = [result(table, row, column, row is bold) for row in table.rows]
        strips.append((escaped(column.label), "r", cells))
    return strips


def best(table: Table, column: Column) -> Row | None:
    """Return the row with the best mean, if it is separated from the first row or, being that, from every other one."""
    first, *others = table.rows
    estimates = ((row, row.cells[column.label].estimate) for row in table.rows)
    means = [(estimate.mean, row) for row, estimate in estimates if estimate and math.isfinite(estimate.mean)]
    if not means:
        return None
    sign = -1 if column.lower_is_better else 1
    _, leader = max(means, key=lambda pair: sign * pair[0])
    if leader is not first:
        return leader if verdict(table, leader, column) == "better" else None
    verdicts = {verdict(table, row, column) for row in others if row.cells[column.label].applies}
    return first if verdicts == {"worse"} else None


def result(table: Table, row: Row, column: Column, bold: bool) -> str:
    """Word a cell as `$88.70 \\pm 0.31^{\\circ}$`, and after it the seeds that are lacking."""
    cell = row.cells[column.label]
    if cell.estimate is None:
        return escaped(empty(cell))
    if not math.isfinite(cell.estimate.mean):
        return escaped(NOTHING)
    mean = number(cell.estimate.mean, column.kind.decimals)
    mean = rf"\mathbf{{{mean}}}" if bold else mean
    spread = cell.estimate.deviation
    deviation = "" if spread is None else rf" \pm {number(spread, column.kind.decimals)}"
    lacking = f" ({count(cell)})" if gaps(cell) else ""
    return f"${mean}{deviation}{MARKS.get(verdict(table, row, column), '')}${lacking}"


def costs_of(table: Table, costs: bool) -> Iterator[Strip]:
    """Yield, by setting: parameters, chosen learning rate where there was a choice, seconds, peak memory."""
    for setting in table.plan.settings:
        place = f", {escaped(setting)}" if len(table.plan.settings) > 1 else ""
        each = [row.costs[setting] for row in table.rows]
        strips = {"parameters": [escaped(parameters(cost)) + dagger(cost) for cost in each]}
        if len(table.plan.rates) > 1:
            strips["learning rate"] = [escaped(rate(cost)) for cost in each]
        if costs:
            strips["seconds"] = [escaped(number(cost.seconds, 1)) for cost in each]
            strips["MiB"] = [escaped(number(cost.memory, 0)) for cost in each]
        yield from ((f"{head}{place}", "r", cells) for head, cells in strips.items())


def dagger(cost: Cost) -> str:
    return r"$^{\dagger}$" if cost.within is False else ""
