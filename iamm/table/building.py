"""A table's files, from what its runs have left; and what a person sees of it."""

from __future__ import annotations

import os
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

from iamm.files import write_text
from iamm.run.job import plain_console
from iamm.table.aggregate import build_table
from iamm.table.plan import Column, TablePlan
from iamm.table.table import Row, Table
from iamm.table.write.chart import draw_chart
from iamm.table.write.comparison import compare_in_tensorboard
from iamm.table.write.export import csv_text, json_text
from iamm.table.write.html import html_report
from iamm.table.write.latex import latex
from iamm.table.write.markdown import markdown
from iamm.table.write.wording import digits, empty, number, verdict


def build(plan: TablePlan, output_dir: Path, folder: Path, *, costs: bool) -> None:
    """Write every form of the table, and show it.

    Args:
        plan: of the table.
        output_dir: where the run folders lie.
        folder: of the table's files.
        costs: whether seconds and memory are shown.
    """
    table = build_table(plan, output_dir)
    links = Path(os.path.relpath(output_dir, folder)).as_posix()
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "table.md": markdown(table, links, costs=costs),
        "table.csv": csv_text(table, costs=costs),
        "table.tex": latex(table, costs=costs),
        "table.json": json_text(table, costs=costs),
        "report.html": html_report(table, output_dir, links, costs=costs),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    draw_chart(table, folder / "table.png")
    look = compare_in_tensorboard(table, folder / "tensorboard", output_dir)
    show(plain_console(), table, folder, look)


def show(console: Console, table: Table, folder: Path, look: str) -> None:
    """Means and verdicts, claims, what to know, where all of it lies."""
    console.print(grid(table))
    for order in table.orders:
        claimed, found = (" > ".join(rows) or "nothing" for rows in (order.claimed, order.found))
        console.print(f"{order.column}: claimed {claimed}; found {found}; held: {order.held}", soft_wrap=True)
    for notice in table.notices:
        console.print(f"note: {notice}", soft_wrap=True)
    console.print(f"table       {folder / 'table.md'}, also .csv, .tex, .json, .png", soft_wrap=True)
    console.print(f"report      {folder / 'report.html'}", soft_wrap=True)
    console.print(f"look at it  {look}", soft_wrap=True)


def grid(table: Table) -> Grid:
    shown = Grid(title=table.plan.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    shown.add_column("", overflow="fold")
    for column in table.plan.columns:
        shown.add_column(column.label, justify="right", overflow="fold")
    for row in table.rows:
        shown.add_row(row.label, *(short(table, row, column) for column in table.plan.columns))
    return shown


def short(table: Table, row: Row, column: Column) -> str:
    """`87.20 ± 0.45 (n = 5)  worse`."""
    cell = row.cells[column.label]
    if cell.estimate is None:
        return empty(cell)
    mean, deviation, _, _, n = cell.estimate
    spread = "" if deviation is None else f" ± {number(deviation, digits(column))}"
    return f"{number(mean, digits(column))}{spread} (n = {n})  {verdict(table, row, column)}".rstrip()
