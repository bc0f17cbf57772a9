"""A table's files, made from its runs' folders, and the summary on the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from iamm.files import write_text
from iamm.table.aggregate import build_table
from iamm.table.plan import Column, TablePlan
from iamm.table.table import Row, Run, Table
from iamm.table.write.chart import draw_chart
from iamm.table.write.comparison import compare_in_tensorboard
from iamm.table.write.export import csv_text, json_text
from iamm.table.write.html import html_report
from iamm.table.write.label_curves import draw_migrations
from iamm.table.write.latex import latex
from iamm.table.write.markdown import markdown
from iamm.table.write.wording import empty, number, verdict
from iamm.terminal import plain_console, print_table


def build(
    plan: TablePlan, runs: Sequence[Run], output_dir: Path, folder: Path, *, costs: bool, command: str = ""
) -> None:
    """Write every form of the table, and print its summary.

    Args:
        plan: of the table.
        runs: that it needs, as they were read.
        output_dir: where the run folders lie.
        folder: of the table's files.
        costs: whether seconds and memory are shown.
        command: for the report, that runs and builds the table.
    """
    table = build_table(plan, runs)
    links = Path(os.path.relpath(output_dir, folder)).as_posix()
    drawn = draw_migrations(table, folder) if plan.shots else []
    texts = {
        "table.md": markdown(table, links, costs=costs),
        "table.csv": csv_text(table, costs=costs),
        "table.tex": latex(table, costs=costs),
        "table.json": json_text(table, costs=costs),
        "report.html": html_report(table, output_dir, links, drawn, costs=costs, command=command),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    draw_chart(table, folder / "table.png")
    beside = output_dir.with_name(f"{output_dir.name}-tables") / folder.name  # --logdir outputs shows each run once
    show(plain_console(), table, folder, compare_in_tensorboard(table, beside, output_dir))


def show(console: Console, table: Table, folder: Path, open_command: str) -> None:
    """Print means and verdicts, claims, notices, and the places of all files."""
    columns = table.plan.columns
    rows = [[row.label, *(short(table, row, column) for column in columns)] for row in table.rows]
    print_table(console, table.plan.title, ["", *(column.label for column in columns)], rows)
    for order in table.orders:
        claimed, measured = (" > ".join(rows) or "nothing" for rows in (order.claimed, order.found))
        console.print(f"{order.column}: claimed {claimed}; found {measured}; held: {order.held}", soft_wrap=True)
    for notice in table.notices:
        console.print(f"note: {notice}", soft_wrap=True)
    console.print(f"table       {folder / 'table.md'}, also .csv, .tex, .json, .png", soft_wrap=True)
    console.print(f"report      {folder / 'report.html'}", soft_wrap=True)
    console.print(f"look at it  {open_command}", soft_wrap=True)


def short(table: Table, row: Row, column: Column) -> str:
    """Word a cell as `87.20 ± 0.45 (n = 5)  worse`."""
    cell = row.cells[column.label]
    if cell.estimate is None:
        return empty(cell)
    mean, deviation, _, _, n = cell.estimate
    spread = "" if deviation is None else f" ± {number(deviation, column.kind.decimals)}"
    return f"{number(mean, column.kind.decimals)}{spread} (n = {n})  {verdict(table, row, column)}".rstrip()
