"""A table of migrations as pictures: the target's quality over the number of labels, and the scenes that it reads."""

from __future__ import annotations

from math import log2
from pathlib import Path
from typing import TYPE_CHECKING

from iamm.table.migration import read_weights, recognised_scenes
from iamm.table.table import Row, Table
from iamm.table.write.chart import INK, SOFT, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_migrations(table: Table, folder: Path) -> list[Path]:
    """Write PNGs, the same bytes each time, and return their paths.

    `labels.png`: means over the targets, and the 95 % interval over seeds as a band. Where the first row has them,
    `recognised.png`: from which scenes each target's interest comes, and `sources.png`: what it reads of each scene.

    Args:
        table: of migrations, with `shots`.
        folder: of the files.
    """
    import matplotlib

    from iamm.record.figure import scenes_figure

    with matplotlib.rc_context({"text.parse_math": False}):
        figures = {"labels.png": label_curves(table)}
        if shares := recognised_scenes(table):
            figures["recognised.png"] = scenes_figure(shares, "known scene", "target")
        if shares := read_weights(table):
            figures["sources.png"] = scenes_figure(shares)
        for name, figure in figures.items():
            save_png(figure, folder / name)
    return [folder / name for name in figures]


def label_curves(table: Table) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    panel = figure.subplots()
    for number, row in enumerate(table.rows):
        draw_line(panel, table, row, f"C{number}", "-" if number < 10 else "--")
    shots = table.plan.shots
    panel.set_xticks([log2(1 + k) for k in shots], [str(k) for k in shots])
    panel.set_xlabel("labels of each class of the target, as log₂(1 + labels)", fontsize=9, color=SOFT)
    panel.set_ylabel("quality of the target × 100", fontsize=9, color=SOFT)
    panel.set_title(table.plan.title, fontsize=11, color=INK)
    panel.grid(color="#e3e6e9", linewidth=0.6)
    panel.tick_params(labelsize=8, colors=SOFT)
    panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def draw_line(panel: Axes, table: Table, row: Row, color: str, style: str) -> None:
    """Draw the means of a row as far as there are any, with a band where there are two seeds at least."""
    columns = table.plan.columns[: len(table.plan.shots)]
    pairs = zip(table.plan.shots, (row.cells[column.label].estimate for column in columns), strict=True)
    points = [(log2(1 + k), each) for k, each in pairs if each is not None]
    if points:
        x, means = [place for place, _ in points], [each.mean for _, each in points]
        panel.plot(x, means, style, color=color, marker="o", markersize=4, linewidth=1.4, label=row.label)
    bands = [(place, each.low, each.high) for place, each in points if each.low is not None]
    if len(bands) > 1:
        places, lows, highs = zip(*bands, strict=True)
        panel.fill_between(places, lows, highs, color=color, alpha=0.12, linewidth=0)
