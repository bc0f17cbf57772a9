"""Curves of validation in an HTML report: every seed, their mean and their range, for each column of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from iamm.record.recorder import tag
from iamm.record.run_folder import RunFolder
from iamm.table.curves import Curve, mean_band, read_curves
from iamm.table.plan import Column
from iamm.table.table import Row, Run, Table
from iamm.table.write.page import block, bullets, details, escaped, figure
from iamm.table.write.style import LINE_STYLES
from iamm.table.write.svg import Line, curve_chart

WHOLE, PANEL = (440, 270), (240, 170)
"""Sizes of a drawing for a column, and of one for a row; a curve has no more than a point every 4 units."""

Curves = Mapping[str, Mapping[str, Curve]]
"""By folder and tag."""


class Subject(NamedTuple):
    """What a drawing is of: a tag in a setting, for one column or more."""

    tag: str
    measure: str
    columns: tuple[Column, ...]

    @property
    def column(self) -> Column:
        return self.columns[0]


def curves(table: Table, output_dir: Path) -> str:
    """One drawing a column or, of too many rows for one, a drawing for each row with the first row's mean in it."""
    subjects = list(subjects_of(table))
    tags = [subject.tag for subject in subjects]
    folders = [run.planned.folder for row in table.rows for cost in row.costs.values() for run in cost.runs]
    most = (WHOLE if len(table.rows) <= LINE_STYLES else PANEL)[0] // 4
    found = {folder: read_curves(RunFolder(output_dir / folder).records, tags, most) for folder in folders}
    lines = {subject: lines_of(table, subject, found) for subject in subjects}
    filled = {subject: own for subject, own in lines.items() if own}
    if not filled:
        return ""
    if len(table.rows) <= LINE_STYLES:
        charts = "".join(together(subject, own) for subject, own in filled.items())
        body = legend([row.label for row in table.rows]) + block("drawings", charts)
    else:
        first = table.rows[0].label
        body = "".join(apart(first, *item, shown=number == 0) for number, item in enumerate(filled.items()))
    return (
        "<p>On validation, at the chosen learning rate. Thin: each seed (dashed: its run is not finished); "
        f"thick: the mean of the finished seeds; shade: from the lowest to the highest of them.</p>{body}"
    )


def subjects_of(table: Table) -> Iterator[Subject]:
    """Columns of the same measure in the same setting share a drawing; those that validation does not have get none."""
    found: dict[tuple[str, str, str], list[Column]] = {}
    for column in table.plan.columns:
        measure = measure_of(table, column)
        name = tag("val", measure) if column.scene is None else tag("val", measure, column.scene)
        found.setdefault((column.setting, name, measure), []).append(column)
    for (_, name, measure), columns in found.items():
        yield Subject(name, measure, tuple(columns))


def measure_of(table: Table, column: Column) -> str:
    """A scene's quality is not recorded by this name: it is the first of its measures that has the same value."""
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


def lines_of(table: Table, subject: Subject, found: Curves) -> list[Line]:
    """The rows that have any points."""
    lines = []
    for number, row in enumerate(table.rows):
        runs = row.costs[subject.column.setting].runs
        seeds = {seed_name(row, run, subject.column): scaled(found, run, subject) for run in runs}
        finished = [seed_name(row, run, subject.column) for run in runs if run.state == "finished"]
        if any(seeds.values()):
            band = mean_band([seeds[seed] for seed in finished if seeds[seed]])
            lines.append(Line(row.label, number % LINE_STYLES, seeds, frozenset(finished), band))
    return lines


def seed_name(row: Row, run: Run, column: Column) -> str:
    rate = f", learning rate {run.planned.rate:g}" if row.costs[column.setting].rate is None else ""
    return f"seed {run.planned.seed}{rate}"


def scaled(found: Curves, run: Run, subject: Subject) -> list[tuple[int, float]]:
    return [(step, subject.column.scale * value) for step, value in found[run.planned.folder][subject.tag]]


def axis_label(subject: Subject) -> str:
    return subject.measure + (" × 100" if subject.column.scale != 1 else "")


def title(subject: Subject) -> str:
    """The labels of the columns, and what is drawn for those that show something subtracted."""
    labels = ", ".join(column.label for column in subject.columns)
    return f"{labels} (nothing subtracted)" if all(column.minus for column in subject.columns) else labels


def together(subject: Subject, lines: Sequence[Line]) -> str:
    """All rows in one drawing; the first one on top."""
    name = f"{title(subject)}: curves of {', '.join(line.label for line in lines)}"
    return figure(drawing(subject, lines[::-1], corners(lines), name), escaped(title(subject)))


def apart(first: str, subject: Subject, lines: Sequence[Line], *, shown: bool) -> str:
    """A drawing for each row, all on the same axes, with the mean of the table's first row in each."""
    means = [line._replace(seeds={}, finished=frozenset()) for line in lines if line.label == first]
    ends = corners(lines)
    panels = []
    for line in lines:
        pair = [line] if line.label == first else [*means, line._replace(style=1)]
        drawn = drawing(subject, pair, ends, f"{title(subject)}: {line.label}", PANEL)
        panels.append(figure(drawn, escaped(line.label)))
    body = legend([first, "the row that is named above"]) + block("panels", "".join(panels))
    return details(f"<strong>{escaped(title(subject))}</strong>", body, shown=shown)


def corners(lines: Sequence[Line]) -> Curve:
    """The last step with the lowest and the highest value: where they fit in, all points do."""
    steps, values = zip(*(point for line in lines for curve in line.seeds.values() for point in curve), strict=True)
    return [(max(steps), min(values)), (max(steps), max(values))]


def drawing(subject: Subject, lines: Sequence[Line], ends: Curve, name: str, size: tuple[int, int] = WHOLE) -> str:
    """Some lines on axes that the ends fit in."""
    ratios = subject.column.lower_is_better
    return curve_chart(lines, ends, name, "training step", axis_label(subject), size=size, ratios=ratios)


def legend(labels: Sequence[str]) -> str:
    sample = '<svg viewBox="0 0 34 10" aria-hidden="true"><g class="line{}"><path class="mean" d="M1 5H33"/></g></svg>'
    return bullets((sample.format(number) + escaped(label) for number, label in enumerate(labels)), "legend")
