"""Values for the curves of an HTML report: every seed, their mean and their range, for each column of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from iamm.record.recorder import tag
from iamm.record.run_folder import RunFolder
from iamm.table.curves import Curve, mean_band, read_curves
from iamm.table.plan import Column
from iamm.table.table import Row, Run, Table
from iamm.table.write.svg import Chart, Line, curve_chart

WHOLE, PANEL = (440, 270), (240, 170)
"""Sizes of a drawing for a column, and of one for a row; a curve has no more than a point every 4 units."""
LINE_STYLES = 6
"""Lines that a reader can tell apart in one drawing, by colour and by stroke: the classes of the stylesheet."""

Curves = Mapping[str, Mapping[str, Curve]]
"""By folder and tag."""


class Figures(NamedTuple):
    """Drawings by the title of their group, and the labels of the legend; a group without a title stands alone."""

    legend: Sequence[str]
    groups: Mapping[str, Sequence[Chart]]


class Subject(NamedTuple):
    """The subject of a drawing: a tag in a setting, for one column or more."""

    tag: str
    measure: str
    columns: tuple[Column, ...]

    @property
    def column(self) -> Column:
        return self.columns[0]

    @property
    def title(self) -> str:
        """The labels of the columns, and a note that a column's `minus` is not applied."""
        labels = ", ".join(column.label for column in self.columns)
        return f"{labels} (nothing subtracted)" if all(column.minus for column in self.columns) else labels


def curve_figures(table: Table, output_dir: Path) -> Figures:
    """Draw one chart a column or, of too many rows for one, a chart for each row that repeats the first row's mean."""
    together = len(table.rows) <= LINE_STYLES
    subjects = list(subjects_of(table))
    tags = [subject.tag for subject in subjects]
    folders = [run.planned.folder for row in table.rows for cost in row.costs.values() for run in cost.runs]
    most = (WHOLE if together else PANEL)[0] // 4
    points = {folder: read_curves(RunFolder(output_dir / folder).records, tags, most) for folder in folders}
    lines = {subject: lines_of(table, subject, points) for subject in subjects}
    filled = [(subject, found) for subject, found in lines.items() if found]
    first = table.rows[0].label
    if not filled:
        return Figures([], {})
    if together:
        return Figures([row.label for row in table.rows], {"": [whole(*item) for item in filled]})
    legend = [first, "the row that is named above"]
    return Figures(legend, {subject.title: panels(first, subject, found) for subject, found in filled})


def subjects_of(table: Table) -> Iterator[Subject]:
    """Yield a subject for all columns of the same measure in the same setting, which share a drawing."""
    groups: dict[tuple[str, str, str], list[Column]] = {}
    for column in table.plan.columns:
        measure = measure_of(table, column)
        name = tag("val", measure) if column.scene is None else tag("val", measure, column.scene)
        groups.setdefault((column.setting, name, measure), []).append(column)
    for (_, name, measure), columns in groups.items():
        yield Subject(name, measure, tuple(columns))


def measure_of(table: Table, column: Column) -> str:
    """Name the measure in the records: a scene's quality stands there as the first measure with the same value."""
    if column.scene is None or column.measure != "quality":
        return column.measure
    results = [run.result for run in table.runs if run.result is not None and column.scene in run.result["quality"]]
    names = results[0]["test"][column.scene] if results else ()
    equal = (
        name
        for name in names
        if all(result["test"][column.scene].get(name) == result["quality"][column.scene] for result in results)
    )
    return next(equal, column.measure)


def lines_of(table: Table, subject: Subject, points: Curves) -> list[Line]:
    """Return a line for each row that has any points."""
    lines = []
    for number, row in enumerate(table.rows):
        runs = row.costs[subject.column.setting].runs
        seeds = {seed_name(row, run, subject.column): scaled(points, run, subject) for run in runs}
        finished = [seed_name(row, run, subject.column) for run in runs if run.state == "finished"]
        if any(seeds.values()):
            band = mean_band([seeds[seed] for seed in finished if seeds[seed]])
            lines.append(Line(row.label, number % LINE_STYLES, seeds, frozenset(finished), band))
    return lines


def seed_name(row: Row, run: Run, column: Column) -> str:
    rate = f", learning rate {run.planned.rate:g}" if row.costs[column.setting].rate is None else ""
    return f"seed {run.planned.seed}{rate}"


def scaled(points: Curves, run: Run, subject: Subject) -> list[tuple[int, float]]:
    return [(step, subject.column.scale * value) for step, value in points[run.planned.folder][subject.tag]]


def whole(subject: Subject, lines: Sequence[Line]) -> Chart:
    """Draw all rows in one chart; the first one on top."""
    name = f"{subject.title}: curves of {', '.join(line.label for line in lines)}"
    return chart(subject, lines[::-1], corners(lines), name, subject.title, WHOLE)


def panels(first: str, subject: Subject, lines: Sequence[Line]) -> list[Chart]:
    """Draw a chart for each row, all on the same axes, with the mean of the table's first row in each."""
    means = [line._replace(seeds={}, finished=frozenset()) for line in lines if line.label == first]
    ends = corners(lines)
    pairs = [[line] if line.label == first else [*means, line._replace(style=1)] for line in lines]
    return [
        chart(subject, pair, ends, f"{subject.title}: {line.label}", line.label, PANEL)
        for line, pair in zip(lines, pairs, strict=True)
    ]


def corners(lines: Sequence[Line]) -> Curve:
    """Return the last step with the lowest and the highest value: axes that hold them hold all points."""
    steps, values = zip(*(point for line in lines for curve in line.seeds.values() for point in curve), strict=True)
    return [(max(steps), min(values)), (max(steps), max(values))]


def chart(
    subject: Subject, lines: Sequence[Line], ends: Curve, name: str, caption: str, size: tuple[int, int]
) -> Chart:
    label = subject.measure + (" × 100" if subject.column.scale != 1 else "")
    return curve_chart(lines, ends, name, label, size=size, caption=caption, ratios=subject.column.lower_is_better)
