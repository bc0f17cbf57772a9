"""A comparison table as one picture: for each column, the rows' means with their intervals, one below the other."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iamm.files import write_bytes
from iamm.table.plan import Column
from iamm.table.table import Row, Table, TableCell
from iamm.table.write.wording import empty, gaps, verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

INK, SOFT, DOTS, CLAIM = "#1c1e21", "#6b727a", "#c4500a", "#b0307a"
HOLLOW: dict[str, Any] = {"marker": "D", "color": CLAIM, "markerfacecolor": "none", "markersize": 5.5}
VERDICTS = {"better": ("▲ better", "#0b5cad"), "worse": ("▼ worse", "#a83c00"), "tie": ("= tie", SOFT)}
"""Text and colour of a verdict; any other is written as it is."""


def draw_chart(table: Table, path: Path) -> None:
    """Write a PNG: a panel for each column, the rows in the plan's order from top to bottom; the same bytes each time.

    A row has its mean, the 95 % interval and a dot for each seed; the document's figure as a hollow diamond; beside it
    the verdict against the first row, or the missing and failed seeds.

    Args:
        table: to be drawn.
        path: of the file.
    """
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False}):  # a $ in a label is a $
        save_png(chart(table), path)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure, with the same bytes each time."""
    png = io.BytesIO()
    figure.savefig(png, dpi=150, metadata={"Software": None})
    write_bytes(path, png.getvalue())


def chart(table: Table) -> Figure:
    from matplotlib.figure import Figure

    count, rows = len(table.plan.columns), table.rows
    size = (1.2 + 0.075 * max(len(row.label) for row in rows) + 3.1 * count, 1.5 + 0.3 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, count, squeeze=False, sharey=True)[0]
    for panel, column in zip(panels, table.plan.columns, strict=True):
        draw_panel(panel, table, column)
    label_rows(panels[0], rows)
    figure.suptitle(table.plan.title, fontsize=11, color=INK)
    marks = legend(table.plan.claims.place if table.plan.claims else None)
    across = len(marks) if count > 1 else 2
    figure.legend(handles=marks, loc="outside lower center", ncols=across, fontsize=8, frameon=False)
    return figure


def draw_panel(panel: Axes, table: Table, column: Column) -> None:
    """Draw one column, with a vertical line at the first row's mean."""
    first = table.rows[0].cells[column.label].estimate
    if first and math.isfinite(first.mean):
        panel.axvline(first.mean, color=SOFT, linewidth=0.8, linestyle=":")
    cells = [row.cells[column.label] for row in table.rows]
    draw_cells(panel, cells)
    for place, row in enumerate(table.rows):
        write_verdict(panel, place, table, row, column)
    unit = "" if column.scale == 1 else " × 100"
    better = ", lower is better" if column.lower_is_better else ""
    minus = f"\nminus that of {column.minus}" if column.minus else ""
    panel.set_title(column.label, fontsize=10, color=INK)
    panel.set_xlabel(f"{column.measure}{unit}{better}{minus}", fontsize=8, color=SOFT)
    panel.set_ylim(len(table.rows) - 0.4, -0.6)
    if not any(cell.values or cell.claim is not None for cell in cells):
        panel.set_xticks([])
    panel.tick_params(labelsize=8, colors=SOFT, left=False)
    panel.grid(axis="x", color="#e3e6e9", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "left", "right"]].set_visible(False)


def draw_cells(panel: Axes, cells: Sequence[TableCell]) -> None:
    """Draw all marks of one kind together, which is much faster than cell by cell."""
    estimates = {place: cell.estimate for place, cell in enumerate(cells) if cell.estimate}
    spans = {place: each for place, each in estimates.items() if each.low is not None}
    means = {place: each.mean for place, each in estimates.items()}
    seeds = [(value, place + 0.24) for place, cell in enumerate(cells) for value in cell.values.values()]
    claims = {place: cell.claim for place, cell in enumerate(cells) if cell.claim is not None}
    widths = [1.2 if place else 2.4 for place in spans]
    lows, highs = ([getattr(each, end) for each in spans.values()] for end in ("low", "high"))
    panel.hlines([*spans], lows, highs, color=INK, linewidth=widths)
    panel.plot([value for value, _ in seeds], [place for _, place in seeds], ".", color=DOTS, markersize=3.5)
    panel.plot([*means.values()], [*means], "o", color=INK, markersize=4.5)
    panel.plot([means[0]] if 0 in means else [], [0] if 0 in means else [], "s", color=INK, markersize=6)
    panel.plot([*claims.values()], [*claims], **HOLLOW, linestyle="none")


def write_verdict(panel: Axes, place: int, table: Table, row: Row, column: Column) -> None:
    """Write the verdict on the right of the panel, with the missing seeds; or why there is no mark."""
    cell = row.cells[column.label]
    word = verdict(table, row, column)
    text, color = VERDICTS.get(word, (word, SOFT))
    marked = cell.estimate is not None and math.isfinite(cell.estimate.mean)
    lines = [text, gaps(cell)] if marked else ["nan" if cell.estimate else empty(cell)]
    beside = "\n".join(line for line in lines if line)
    panel.text(1.01, place, beside, color=color, fontsize=7, va="center", transform=panel.get_yaxis_transform())


def label_rows(panel: Axes, rows: Sequence[Row]) -> None:
    """Label the rows; the first one, with which the others are compared, in bold."""
    panel.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=9, color=INK)
    panel.get_yticklabels()[0].set_fontweight("bold")


def legend(place: str | None) -> list[Line2D]:
    """Return a sample of each mark with its meaning."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=INK, marker="o", markersize=4.5, linewidth=1.2, label="mean and 95 % interval"),
        Line2D([], [], color=DOTS, marker=".", markersize=4, linewidth=0, label="one seed"),
        Line2D([], [], color=SOFT, linestyle=":", linewidth=0.8, label="mean of the first row"),
    ]
    claim = Line2D([], [], **HOLLOW, linewidth=0, label=f"claimed in {place}")
    return marks if place is None else [*marks, claim]
