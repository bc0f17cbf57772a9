"""A comparison table as one HTML file that opens from disk: it fetches nothing and runs nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from iamm.output import printable
from iamm.table.notices import origins
from iamm.table.plan import Column
from iamm.table.table import Table
from iamm.table.write import wording
from iamm.table.write.axis import Axis, value_axis
from iamm.table.write.html_curves import curve_figures
from iamm.table.write.html_examples import MOST, attention_maps, maps, sentences
from iamm.table.write.html_origin import checksums, configurations

if TYPE_CHECKING:
    from jinja2 import Environment


def html_report(
    table: Table, output_dir: Path, links: str, drawn: Sequence[Path] = (), *, costs: bool = True, command: str = ""
) -> str:
    """Render the report: figures, curves, written sentences, attention maps, and the origin of all of it.

    Args:
        table: to be shown.
        output_dir: where the run folders lie: their records, sentences and pictures are read.
        links: path from the report's folder to `output_dir`, such as `../..`.
        drawn: pictures of the whole table.
        costs: False leaves out time and memory: the text is then the same for any sweep over the same runs.
        command: that runs and builds the table; empty: with no options.

    Raises:
        BadDataError: records that cannot be read.
    """
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            table=table,
            links=links,
            costs=costs,
            command=command or f"iamm-table table={table.plan.name}",
            axes={column.label: column_axis(table, column) for column in table.plan.columns},
            curves=curve_figures(table, output_dir),
            examples=sentences(table, output_dir),
            albums=[*([maps("Migration", drawn, MOST)] if drawn else []), *attention_maps(table, output_dir)],
            configurations=configurations(table),
            origins=origins([run.result for run in table.runs if run.result is not None]),
            checksums=checksums(table),
        )
    )


@cache
def templates() -> Environment:
    """Prepare the templates, which escape all values and their control characters, and can call what `wording` has."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("iamm.table.write"),
        extensions=["jinja2.ext.do"],
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters["code_parts"] = wording.code_parts
    environment.tests["finite"] = math.isfinite
    environment.globals.update(
        {name: function for name, function in vars(wording).items() if callable(function) and name.islower()}
    )
    return environment


def column_axis(table: Table, column: Column) -> Axis | None:
    """Return one axis that all finite values of a column fit on (seeds, intervals, claims), or None without any."""
    cells = [row.cells[column.label] for row in table.rows]
    ends = [end for cell in cells if cell.estimate for end in (cell.estimate.low, cell.estimate.high)]
    values = [*ends, *(cell.claim for cell in cells), *(value for cell in cells for value in cell.values.values())]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return value_axis(finite, 4, 126) if finite else None
