"""A command line of `iamm-table`: plan the table, run what is missing, build it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iamm import __version__
from iamm.config.command_line import HYDRA, in_order, refuse_rerun
from iamm.config.compose import Composed
from iamm.config.sources import Sources
from iamm.errors import FailedCellError
from iamm.table.options import check_options, composed_options, explained_for_tables, name_of, own_folder

if TYPE_CHECKING:
    from iamm.run.planned import Cell
    from iamm.table.plan import TablePlan

ASIDE = ("run", "list", "costs", "device", "sweep")
"""Options that change nothing of what is planned."""


@dataclass(frozen=True)
class Work:
    """What a command line of `iamm-table` comes to.

    Args:
        options: of the command, plain.
        folder: of the table's own files.
        plan: of the table.
        kept: file of the planned runs, a line each.
        launcher: words that choose another launcher of Hydra's; none: side by side on this machine.
    """

    options: dict[str, Any]
    folder: Path
    plan: TablePlan
    kept: Path
    launcher: tuple[str, ...]

    @property
    def output_dir(self) -> Path:
        return Path(self.options["output_dir"])


def run_command_line(words: Sequence[str]) -> int:
    """The exit code: 3 if a run of the table failed in this call."""
    refuse_rerun(words)
    words = in_order(words)
    with explained_for_tables():
        found = composed_options(words)
        work = found and prepared(found, words)
    return finish(work) if work else 0


def prepared(found: Composed, words: Sequence[str]) -> Work:
    """Check everything and plan, or take the plan that is kept; nothing is run yet.

    Raises:
        UserError: of the command line, the table, or a run that it needs.
    """
    check_options(found.values)
    name = name_of(found.chosen.get("table"))
    from iamm.files import writable
    from iamm.table.plan import read_plan
    from iamm.table.planning import plan_table

    folder = Path(found.values["output_dir"]) / "tables" / name
    sources = Sources(own_folder(words))
    mark = fingerprint(found.values, sources)
    plan_file, runs_file = folder / f"plan-{mark}.json", folder / f"runs-{mark}.jsonl"
    if not (plan_file.exists() and runs_file.exists()):
        plan, cells = plan_table(found.values, folder.name, sources)
        with writable(folder, what="A table's folder"):
            keep(plan_file, plan, runs_file, cells)
    return Work(found.values, folder, read_plan(plan_file), runs_file, launcher_of(words))


def launcher_of(words: Sequence[str]) -> tuple[str, ...]:
    """The words that choose another launcher of Hydra's."""
    if not any(HYDRA.match(word) for word in words):
        return ()
    from iamm.sweep.launch import launcher_words

    return launcher_words(words)


def finish(work: Work) -> int:
    """Run what is missing and build the table, or show what is there; the exit code."""
    from iamm.files import writable
    from iamm.processors import processors
    from iamm.sweep.sweep import sweep

    waiting = missing(work)
    if work.options["list"]:
        from iamm.table.listing import show_listing

        show_listing(work.plan, work.output_dir, work.options["sweep"]["jobs"] or processors())
        return 0
    failed = sweep(waiting, work.launcher) if waiting and work.options["run"] else []
    from iamm.table.building import build

    with writable(work.folder, what="A table's folder"):
        build(work.plan, work.output_dir, work.folder, costs=work.options["costs"])
    return FailedCellError.exit_code if failed else 0


def keep(plan_file: Path, plan: TablePlan, runs_file: Path, cells: Sequence[Cell]) -> None:
    """Write both in place of those of other configurations."""
    from iamm.files import write_text
    from iamm.table.plan import write_plan

    plan_file.parent.mkdir(parents=True, exist_ok=True)
    for old in (*plan_file.parent.glob("plan-*.json"), *runs_file.parent.glob("runs-*.jsonl")):
        old.unlink(missing_ok=True)
    write_text(runs_file, "".join(cell.text() for cell in cells))
    write_plan(plan_file, plan)


def fingerprint(options: dict[str, Any], sources: Sources) -> str:
    """16 hex digits of SHA-256 over the table and every YAML that its runs may be composed of: while it stays the same,
    so does the plan, and nothing need be composed anew."""
    planned = {key: value for key, value in options.items() if key not in ASIDE}
    digest = hashlib.sha256(json.dumps([__version__, planned], default=str).encode())
    runs = Path(options["output_dir"]).resolve()  # each has a YAML of its own
    for root in sources.roots:
        for file in sorted(root.rglob("*.yaml")):
            if runs not in file.resolve().parents:
                digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def missing(work: Work) -> list[Cell]:
    """The planned runs that are not finished; where and how to run them is said by each call anew.

    Raises:
        BadDataError: a finished one was made with other data than those that lie there now.
    """
    from iamm.run.finished import finished
    from iamm.run.planned import Cell, cell_of

    places = {key: work.options[key] for key in ("device", "output_dir", "sweep")}
    planned = (cell_of(line) for line in work.kept.read_text(encoding="utf-8").split("\n")[:-1])
    cells = [Cell({**cell.values, **places}, cell.choices) for cell in planned]
    return [cell for cell in cells if not finished(cell)]
