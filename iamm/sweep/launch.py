"""Planned runs through another launcher of Hydra, each in its own process on a machine that it chooses."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from iamm.config import by_hydra
from iamm.config.command_line import in_order
from iamm.config.explain import explained
from iamm.config.hydra_compat import arguments
from iamm.errors import ConfigError, FailedCellError, MissingPackageError, UserError
from iamm.files import make_folder, writable
from iamm.run.finished import finished
from iamm.run.planned import Cell, read_cell, write_cell
from iamm.sweep.pool import ProcessOutcome, ready, run_cells

PLANNED = "planned.json"
SEARCH, DIRECTION = "hydra/sweeper=optuna", "hydra.sweeper.direction="
LAUNCHER = re.compile(r"\+{0,2}hydra[/.]launcher\b")


def launcher_words(words: Sequence[str]) -> tuple[str, ...]:
    """The words that choose another launcher, and the folder of YAML files that may configure it."""
    parsed = arguments(in_order(words))
    chosen = tuple(word for word in parsed.overrides if LAUNCHER.match(word))
    return (f"--config-dir={parsed.config_dir}", *chosen) if chosen and parsed.config_dir else chosen


def split(words: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Split the words into those that plan a sweep and those that choose its launcher.

    A search plans nothing ahead, since each run depends on the earlier ones; it maximises unless a direction is given.
    """
    parsed = arguments(in_order(words))
    if SEARCH in parsed.overrides and not any(word.startswith(DIRECTION) for word in parsed.overrides):
        return [*words, f"{DIRECTION}maximize"], ()
    search = any(word.startswith("hydra/sweeper=") for word in parsed.overrides)
    if search or not parsed.multirun or parsed.cfg or parsed.info:
        return list(words), ()
    return [word for word in words if not LAUNCHER.match(word)], launcher_words(words)


def prepared(cell: Cell) -> Cell | ProcessOutcome:
    """The run, planned in its folder; or the outcome of one that is finished, or whose folder is refused.

    The folder of a run with `rerun=true` is cleared now, so that a queue that starts it twice does not clear it again.
    """
    try:
        if cell.values["rerun"]:
            with cell.folder.held():
                cell.folder.clear()
            cell = replace(cell, values={**cell.values, "rerun": False})
        if finished(cell):
            return ProcessOutcome(cell, 0, "", reused=True)
        with writable(cell.path):
            make_folder(cell.path)
            write_cell(planned_file(cell), cell)
        return cell
    except UserError as error:
        return ProcessOutcome(cell, error.exit_code, str(error))


def planned_file(cell: Cell) -> Path:
    return cell.path.absolute() / PLANNED


def launched(cells: Sequence[Cell], launcher: Sequence[str]) -> list[ProcessOutcome]:
    """Run each cell; return the outcomes of those that failed.

    Args:
        cells: prepared, none of them finished.
        launcher: the words that choose the launcher.
    """
    why, remaining = "", list(cells)
    while remaining:  # runs that start from other runs go in a later batch
        batch = [cell for cell in remaining if ready([cell], [other for other in remaining if other is not cell])]
        why = launch([planned_file(cell) for cell in batch], launcher) or why
        remaining = [cell for cell in remaining if cell not in batch]
    return [
        ProcessOutcome(cell, FailedCellError.exit_code, reason(cell, why))
        for cell in cells
        if not cell.folder.finished()
    ]


def launch(files: Sequence[Path], launcher: Sequence[str]) -> str:
    """Submit one job for each planned run and wait for all; return the reason if the launcher failed.

    Raises:
        ConfigError: a key of the launcher is wrong.
        MissingPackageError: the launcher is not installed.
    """
    places = {"planned": files, "working_dir": [Path.cwd()], "output_dir": [files[0].parents[1]]}
    words = [f"{key}={','.join(quoted(path) for path in paths)}" for key, paths in places.items()]
    try:
        with explained():
            by_hydra.launch("planned", ["-m", *launcher, *words], planned_job)
    except (ConfigError, MissingPackageError):
        raise
    except Exception as error:  # errors of the launcher: no cluster, a killed worker, …
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "\\'") + "'"


def planned_job(config: Mapping[str, str]) -> None:
    """The job that the launcher runs in a separate process; its outcome is stored in the run's folder."""
    os.chdir(config["working_dir"])
    cell = read_cell(Path(config["planned"]))
    run_cells([cell], 1, cell.values["sweep"]["silence"], lambda _: None)


def reason(cell: Cell, why: str) -> str:
    """Give the reason of a failed run: its error, else the launcher's, else the state of the run."""
    state, error = cell.folder.state()
    return error if state == "failed" else why or f"{state} {error}".strip()
