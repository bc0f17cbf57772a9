"""A command line of `iamm-table`: plan the table, run what is missing, build it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from iamm import __version__
from iamm.config.command_line import HYDRA, in_order, refuse_rerun
from iamm.config.sources import Sources
from iamm.errors import BadDataError, DamagedRunError, FailedCellError, MissingDataError
from iamm.own import ALLOW
from iamm.table.options import check_options, compose_options, config_dir, explained_for_tables

if TYPE_CHECKING:
    from iamm.run.planned import Cell
    from iamm.table.plan import TablePlan

NOT_PLANNED = ("run", "list", "costs", "device", "sweep")
"""Options that change nothing in a plan."""

NOT_REPORTED = ("run", "list", "device", "sweep")
"""Options that change nothing in a report."""


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
    """Check everything and plan, or take the plan that was written earlier; nothing is run yet.

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
    from iamm.files import check_length, require_no_link, writable
    from iamm.table.planning import plan_table

    folder = Path(options["output_dir"]) / "tables" / composed.chosen["table"]
    check_length(folder, "A table's folder")
    sources = Sources(config_dir(arguments))
    digest = fingerprint(options, sources)
    plan_file, runs_file = folder / f"plan-{digest}.json", folder / f"runs-{digest}.jsonl"
    for place in (folder.parent, folder):
        require_no_link(place)
    try:
        plan, cells = read_planned(plan_file, runs_file)
    except (BadDataError, MissingDataError):
        plan, cells = plan_table(options, folder.name, sources)
        with writable(folder, what="A table's folder"):
            write_planned(plan_file, plan, runs_file, cells)
    return TableJob(options, folder, plan, cells, launcher_of(arguments), command_of(arguments))


def command_of(arguments: Sequence[str]) -> str:
    """Return the command for a shell, with the packages that it allows, without what changes nothing in the report."""
    dropped = [word for word in arguments if word.split("=")[0].split(".")[0] in NOT_REPORTED or HYDRA.match(word)]
    words = shlex.join(["iamm-table", *(word for word in arguments if word not in dropped)])
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
    from iamm.sweep.sweep import sweep

    options, output_dir = job.options, Path(job.options["output_dir"])
    if options["list"]:
        from iamm.table.listing import show_listing

        unfinished(job)  # refuses finished runs of other data
        show_listing(job.plan, output_dir, options["sweep"]["jobs"] or processors())
        return 0
    failed, tried = False, set[str]()
    while cells := [cell for cell in unfinished(job) if options["run"] and cell.name not in tried]:
        tried |= {cell.name for cell in cells}
        failed |= bool(sweep(cells, job.launcher))
    from iamm.table.building import build

    with writable(job.folder, what="A table's folder"):
        build(job.plan, output_dir, job.folder, costs=options["costs"], command=job.command)
    return FailedCellError.exit_code if failed else 0


def write_planned(plan_file: Path, plan: TablePlan, runs_file: Path, cells: Sequence[Cell]) -> None:
    """Write both files in place of those of other configurations."""
    from iamm.files import write_text
    from iamm.table.plan import write_plan

    plan_file.parent.mkdir(parents=True, exist_ok=True)
    for old in (*plan_file.parent.glob("plan-*.json"), *runs_file.parent.glob("runs-*.jsonl")):
        old.unlink(missing_ok=True)
    write_text(runs_file, "".join(cell.text() for cell in cells))
    write_plan(plan_file, plan)


def read_planned(plan_file: Path, runs_file: Path) -> tuple[TablePlan, list[Cell]]:
    """Read both files.

    Raises:
        MissingDataError, BadDataError: one of them is not there or damaged.
    """
    from iamm.files import read_file
    from iamm.run.planned import cell_of
    from iamm.table.plan import read_plan

    plan = read_plan(plan_file)
    try:
        cells = [cell_of(line) for line in read_file(runs_file).decode().split("\n")[:-1]]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BadDataError(f"Planned runs must be lines of JSON. Found {runs_file}: {error}") from error
    if len(cells) != len(plan.runs):
        raise BadDataError(f"Planned runs must be those of the plan. Found {len(cells)} of {len(plan.runs)}.")
    return plan, cells


def fingerprint(options: dict[str, Any], sources: Sources) -> str:
    """Return 16 hex digits of SHA-256 over the table and every YAML file that its runs may be composed of.

    While it stays the same, so does the plan, and nothing is composed anew.
    """
    planned = {key: value for key, value in options.items() if key not in NOT_PLANNED}
    digest = hashlib.sha256(json.dumps([__version__, planned], default=str).encode())
    output_dir = Path(options["output_dir"]).resolve()  # its run folders hold YAML files of their own
    for root in sources.roots:
        for file in sorted(root.rglob("*.yaml")):
            if output_dir not in file.resolve().parents:
                digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def unfinished(job: TableJob) -> list[Cell]:
    """Return the needed runs that are neither finished nor damaged; each call decides where and how to run them.

    Raises:
        BadDataError: a finished run was made with other data than the present files.
    """
    from iamm.run.finished import finished
    from iamm.table.selection import needed_folders

    def is_left(cell: Cell) -> bool:
        try:
            return not finished(cell)
        except DamagedRunError:  # the table names it
            return False

    folders = needed_folders(job.plan, Path(job.options["output_dir"]))
    places = {key: job.options[key] for key in ("device", "output_dir", "sweep")}
    placed = (replace(cell, values={**cell.values, **places}) for cell in job.cells)
    cells = [cell for cell in placed if is_left(cell)]
    sources = {Path(cell.values["from"]).name for cell in cells if cell.name in folders and cell.values["from"]}
    return [cell for cell in cells if cell.name in folders | sources]
