"""A command line of `iamm-table`: plan the table, run what is missing, build it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from iamm.config.command_line import HYDRA, in_order, refuse_rerun
from iamm.config.sources import Sources
from iamm.errors import DamagedRunError, FailedCellError
from iamm.own import ALLOW
from iamm.table.options import check_options, compose_options, config_dir, explained_for_tables

if TYPE_CHECKING:
    from iamm.run.planned import Cell
    from iamm.table.plan import TablePlan
    from iamm.table.table import Run

NOT_REPORTED = re.compile(rf"(\+*(run|list|rerun|device|sweep)|{HYDRA.pattern})\b.*=")
"""Overrides that change nothing in a report."""


class TableJob(NamedTuple):
    """A planned table with the options of its command line.

    Args:
        options: of the command, plain.
        folder: of the table's files.
        plan: of the table.
        cells: the planned runs.
        launcher: overrides that choose another launcher of Hydra's; none: side by side on this machine.
        command: for a shell, that runs and builds the same table.
    """

    options: dict[str, Any]
    folder: Path
    plan: TablePlan
    cells: Sequence[Cell]
    launcher: tuple[str, ...]
    command: str


def run_command_line(arguments: Sequence[str]) -> int:
    """Return the exit code: 3 if a run of the table failed in this call."""
    refuse_rerun(arguments)
    arguments = in_order(arguments)
    with explained_for_tables():
        job = prepare(arguments)
    return finish(job) if job else 0


def prepare(arguments: Sequence[str]) -> TableJob | None:
    """Check everything and plan; nothing is run or written yet.

    Returns:
        The job; None where the options were only to be shown.

    Raises:
        UserError: of the command line, the table, or a run that it needs.
    """
    composed = compose_options(arguments)
    if composed is None:
        return None
    options = composed.values
    check_options(options, composed.chosen)
    from iamm.files import check_length, require_no_link
    from iamm.table.planning import plan_table

    folder = Path(options["output_dir"]) / "tables" / composed.chosen["table"]
    check_length(folder, "A table's folder")
    for place in (folder.parent, folder):
        require_no_link(place)
    plan, cells = plan_table(options, folder.name, Sources(config_dir(arguments)))
    if options["rerun"]:
        cells = [replace(cell, values={**cell.values, "rerun": True}) for cell in cells]
    return TableJob(options, folder, plan, cells, launcher_of(arguments), command_of(arguments))


def command_of(arguments: Sequence[str]) -> str:
    """Return the command for a shell, with the packages that it allows, without what changes nothing in the report."""
    words = shlex.join(["iamm-table", *(word for word in arguments if not NOT_REPORTED.match(word))])
    allowed = os.environ.get(ALLOW)
    return f"{ALLOW}={shlex.quote(allowed)} {words}" if allowed else words


def launcher_of(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the overrides that choose another launcher of Hydra's."""
    if not any(HYDRA.match(argument) for argument in arguments):
        return ()
    from iamm.sweep.launch import launcher_words

    return launcher_words(arguments)


def finish(job: TableJob) -> int:
    """Run what is missing and build the table, or list its runs; return the exit code."""
    from iamm.files import writable
    from iamm.processors import processors

    options, output_dir = job.options, Path(job.options["output_dir"])
    runs, left = progress(job)
    if options["list"]:
        from iamm.table.listing import show_listing

        show_listing(job.plan, runs, output_dir, options["sweep"]["jobs"] or processors())
        return 0
    with writable(job.folder, what="A table's folder"):
        job.folder.mkdir(parents=True, exist_ok=True)
    failed, tried = False, set[str]()
    while cells := [cell for cell in left if options["run"] and cell.name not in tried]:
        from iamm.sweep.sweep import sweep

        tried |= {cell.name for cell in cells}
        failed |= bool(sweep(cells, job.launcher))
        runs, left = progress(job)
    from iamm.table.building import build

    with writable(job.folder, what="A table's folder"):
        build(job.plan, runs, output_dir, job.folder, costs=options["costs"], command=job.command)
    return FailedCellError.exit_code if failed else 0


def progress(job: TableJob) -> tuple[Sequence[Run], list[Cell]]:
    """Return the runs that the table needs, and the cells of those that are neither finished nor damaged; all if they
    start anew.

    Raises:
        BadDataError: a finished run was made with other data than the present files.
    """
    from iamm.run.finished import finished
    from iamm.table.selection import read_needed

    runs = read_needed(job.plan, Path(job.options["output_dir"]))
    results = {run.planned.folder: run.result for run in runs}

    def is_left(cell: Cell) -> bool:
        try:
            return cell.values["rerun"] or not finished(cell, results.get(cell.name))
        except DamagedRunError:  # the table names it
            return False

    cells = [cell for cell in job.cells if is_left(cell)]
    sources = {Path(cell.values["from"]).name for cell in cells if cell.name in results and cell.values["from"]}
    return runs, [cell for cell in cells if cell.name in {*results, *sources}]
