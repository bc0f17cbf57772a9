"""A comparison table as one HTML file that opens from disk: it fetches nothing and runs nothing."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from iamm.table.table import Table
from iamm.table.write import wording
from iamm.table.write.html_curves import curve_figures
from iamm.table.write.html_examples import picture_albums, sentences
from iamm.table.write.html_origin import checksums, configurations, origins
from iamm.table.write.html_results import column_axis, places

if TYPE_CHECKING:
    from jinja2 import Environment


def html_report(table: Table, output_dir: Path, links: str, *, costs: bool = True) -> str:
    """Render the report: figures, curves, written sentences, attention maps, and the origin of all of it.

    Args:
        table: to be shown.
        output_dir: where the run folders lie: their records, sentences and pictures are read.
        links: path from the report's folder to `output_dir`, such as `../..`.
        costs: False leaves out time and memory: the text is then the same for any sweep over the same runs.

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
            places=[(label, row.costs[setting]) for row, setting, label in places(table)],
            axes={column.label: column_axis(table, column) for column in table.plan.columns},
            curves=curve_figures(table, output_dir),
            examples=sentences(table, output_dir),
            albums=picture_albums(table, output_dir),
            configurations=configurations(table),
            origins=origins(table),
            checksums=checksums(table),
        )
    )


@cache
def templates() -> Environment:
    """Prepare the templates, which escape all values and can call the functions that word figures."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("iamm.table.write"),
        extensions=["jinja2.ext.do"],
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    made.filters["code_parts"] = code_parts
    made.tests["finite"] = math.isfinite
    made.globals.update(
        {
            word.__name__: word
            for word in (
                *(wording.bounds, wording.claimed, wording.count, wording.digits, wording.empty, wording.gaps),
                *(wording.number, wording.probability, wording.run_groups, wording.terms, wording.verdict),
            )
        }
    )
    return made


def code_parts(text: str) -> list[str]:
    """Split a text at its code in backticks: every second part is code."""
    return re.split(r"`([^`]+)`", text.strip())
