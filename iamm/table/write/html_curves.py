"""Values for the curves of an HTML report: every seed, their mean and their range, for each column of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from iamm.measure import Measure
from iamm.record.recorder import tag
from iamm.record.run_folder import RunFolder
from iamm.table.plan import Column
from iamm.table.table import Row, Run, Table
from iamm.table.write.axis import Axis, value_axis
from iamm.table.write.curves import Curve, mean_band, read_curves, recorded_measure

WHOLE, PANEL = (440, 270), (240, 170)
"""Sizes of a drawing for a column, and of one for a row; a curve has at most a point every 4 units."""
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 8, 36
"""Room around the plot, in the drawing's units: for ticks and labels."""
LINE_STYLES = 6
"""Lines that a reader can distinguish in one drawing, by colour and by stroke: the classes of the stylesheet."""

Curves = Mapping[str, Mapping[str, Curve]]
"""By folder and tag."""
Band = Sequence[tuple[int, float, float, float]]
"""Step, mean, lowest, highest."""


class Line(NamedTuple):
    """A row in a drawing of curves.

    Args:
        label: of the row.
        style: number of its class in the stylesheet.
        seeds: thin curves by their names; those that are dashed are not `finished`.
        finished: the seeds that make up the band.
        band: over the finished seeds.
    """

    label: str
    style: int
    seeds: Mapping[str, Curve]
    finished: frozenset[str]
    band: Band


class Chart(NamedTuple):
    """A drawing of lines over training steps; the last line lies on top.

    Args:
        name: of the whole drawing, for a screen reader.
        caption: above it.
        x: the horizontal axis.
        y: the vertical axis; `label` stands on its left.
    """

    name: str
    caption: str
    x: Axis
    y: Axis
    label: str
    lines: Sequence[Line]

    @property
    def size(self) -> str:
        """Width and height, in the drawing's units."""
        return f"{self.x.end + RIGHT:g} {self.y.start + BOTTOM:g}"

    def path(self, points: Sequence[tuple[float, ...]]) -> str:
        """Join the points; values behind step and value are ignored."""
        return "M" + "L".join(f"{self.x.position(step)} {self.y.position(value)}" for step, value, *_ in points)

    def outline(self, band: Band) -> str:
        """Go along the lowest values, and back along the highest."""
        lows = [(step, low) for step, _, low, _ in band]
        return self.path([*lows, *((step, high) for step, _, _, high in reversed(band))]) + "Z"


class Figures(NamedTuple):
    """Drawings by the title of their group, and the labels of the legend; a group without a title stands alone."""

    legend: Sequence[str]
    groups: Mapping[str, Sequence[Chart]]


class Subject(NamedTuple):
    """The subject of a drawing: a recorded measure in a setting, for one column or more.

    Args:
        tag: of the records.
        measure: whose values the records hold.
        turned: whether the values are shown as qualities, which are higher where the measure is lower.
        columns: that the drawing is for.
    """

    tag: str
    measure: Measure
    turned: bool
    columns: tuple[Column, ...]

    @property
    def setting(self) -> str:
        return self.columns[0].setting

    @property
    def title(self) -> str:
        """The labels of the columns, and a note that a column's `minus` is not applied."""
        labels = ", ".join(column.label for column in self.columns)
        return f"{labels} (nothing subtracted)" if all(column.minus for column in self.columns) else labels

    @property
    def label(self) -> str:
        name = f"quality by {self.measure.name}" if self.turned else self.measure.name
        return name if self.columns[0].scale == 1 else f"{name} × 100"

    def shown(self, curve: Curve) -> list[tuple[int, float]]:
        scale = self.columns[0].scale
        return [(step, scale * (self.measure.quality(value) if self.turned else value)) for step, value in curve]


def curve_figures(table: Table, output_dir: Path) -> Figures:
    """Draw one chart a column or, of too many rows for one, a chart for each row that repeats the first row's mean."""
    together = len(table.rows) <= LINE_STYLES
    subjects = list(subjects_of(table))
    tags = [subject.tag for subject in subjects]
    folders = [run.planned.folder for row in table.rows for cost in row.costs.values() for run in cost.runs]
    most = (WHOLE if together else PANEL)[0] // 4
    curves = {folder: read_curves(RunFolder(output_dir / folder).records, tags, most) for folder in folders}
    drawn = [(subject, lines) for subject in subjects if (lines := lines_of(table, subject, curves))]
    first = table.rows[0].label
    if not drawn:
        return Figures([], {})
    if together:
        return Figures([row.label for row in table.rows], {"": [whole(*each) for each in drawn]})
    legend = [first, "the row that is named above"]
    return Figures(legend, {subject.title: panels(first, subject, lines) for subject, lines in drawn})


def subjects_of(table: Table) -> Iterator[Subject]:
    """Yield a subject for all columns of the same measure in the same setting, which share a drawing."""
    groups: dict[tuple[str, str, Measure, bool], list[Column]] = {}
    for column in table.plan.columns:
        measure = recorded_measure(column, table.runs) or column.kind
        name = tag("val", measure.name) if column.scene is None else tag("val", measure.name, column.scene)
        turned = column.measure == "quality" and measure.lower_is_better
        groups.setdefault((column.setting, name, measure, turned), []).append(column)
    for (_, name, measure, turned), columns in groups.items():
        yield Subject(name, measure, turned, tuple(columns))


def lines_of(table: Table, subject: Subject, curves: Curves) -> list[Line]:
    """Return a line for each row that has any points."""
    lines = []
    for number, row in enumerate(table.rows):
        runs = row.costs[subject.setting].runs
        seeds = {seed_name(row, run): subject.shown(curves[run.planned.folder][subject.tag]) for run in runs}
        finished = [seed_name(row, run) for run in runs if run.state == "finished"]
        if any(seeds.values()):
            band = mean_band([seeds[seed] for seed in finished if seeds[seed]])
            lines.append(Line(row.label, number % LINE_STYLES, seeds, frozenset(finished), band))
    return lines


def seed_name(row: Row, run: Run) -> str:
    planned = run.planned
    rate = f", learning rate {planned.rate:g}" if row.costs[planned.setting].rate is None else ""
    return f"seed {planned.seed}{rate}"


def whole(subject: Subject, lines: Sequence[Line]) -> Chart:
    """Draw all rows in one chart; the first one on top."""
    name = f"{subject.title}: curves of {', '.join(line.label for line in lines)}"
    return Chart(name, subject.title, *axes(subject, lines, WHOLE), lines[::-1])


def panels(first: str, subject: Subject, lines: Sequence[Line]) -> list[Chart]:
    """Draw a chart for each row, all on the same axes, with the mean of the table's first row in each."""
    means = [line._replace(seeds={}, finished=frozenset()) for line in lines if line.label == first]
    shared = axes(subject, lines, PANEL)
    pairs = [[line] if line.label == first else [*means, line._replace(style=1)] for line in lines]
    return [Chart(f"{subject.title}: {pair[-1].label}", pair[-1].label, *shared, pair) for pair in pairs]


def axes(subject: Subject, lines: Sequence[Line], size: tuple[int, int]) -> tuple[Axis, Axis, str]:
    """Return the axes that hold all points of the lines, and the label of the vertical one."""
    points = [point for line in lines for curve in line.seeds.values() for point in curve]
    ratios = not subject.turned and subject.columns[0].lower_is_better
    x = Axis(0, max(1, *(step for step, _ in points)), LEFT, size[0] - RIGHT)
    y = value_axis((value for _, value in points), size[1] - BOTTOM, TOP, ratios=ratios)
    return x, y, subject.label + (", logarithmic" if y.logarithmic else "")
