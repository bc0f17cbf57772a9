"""Planned runs through another launcher of Hydra's: where and when it likes, each in a process of its own there."""

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
from iamm.errors import ConfigError, FailedCellError, MissingPackageError, OutputError
from iamm.run.finished import finished
from iamm.run.planned import Cell, read_cell, write_cell
from iamm.sweep.pool import ProcessOutcome, ready, run_cells

PLANNED = "planned.json"
SEARCH, DIRECTION = "hydra/sweeper=optuna", "hydra.sweeper.direction="
LAUNCHER = re.compile(r"\+{0,2}hydra[/.]launcher\b")


def launcher_words(words: Sequence[str]) -> tuple[str, ...]:
    """Those of a command line that choose another launcher, and the folder of YAML files where it may be described."""
    said = arguments(in_order(words))
    chosen = tuple(word for word in said.overrides if LAUNCHER.match(word))
    return (f"--config-dir={said.config_dir}", *chosen) if chosen and said.config_dir else chosen


def split(words: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The words that plan a sweep, and those that choose its launcher; all and none where nothing can be planned
    ahead: a search chooses each run by those before it, and for the best quality unless it says otherwise."""
    said = arguments(in_order(words))
    if SEARCH in said.overrides and not any(word.startswith(DIRECTION) for word in said.overrides):
        return [*words, f"{DIRECTION}maximize"], ()
    search = any(word.startswith("hydra/sweeper=") for word in said.overrides)
    if search or not said.multirun or said.cfg or said.info:
        return list(words), ()
    return [word for word in words if not LAUNCHER.match(word)], launcher_words(words)


def launched(cells: Sequence[Cell], launcher: Sequence[str]) -> list[ProcessOutcome]:
    """Run each cell that is not finished; the outcomes of those that failed.

    Args:
        cells: the same one twice is run once.
        launcher: the words that chose it.

    Raises:
        BadDataError: a finished one was made with other data.
    """
    each = {cell.folder.path: cell for cell in cells}
    waiting = [cell for cell in each.values() if not finished(cell)]
    why, left = "", list(waiting)
    while left:  # those that begin from others go in a later batch
        batch = [cell for cell in left if ready([cell], [other for other in left if other is not cell])]
        why = launch([planned_file(cell) for cell in batch], launcher) or why
        left = [cell for cell in left if cell not in batch]
    return [
        ProcessOutcome(cell, FailedCellError.exit_code, reason(cell, why))
        for cell in waiting
        if not cell.folder.finished()
    ]


def cleared(cell: Cell) -> Cell:
    """The same run; where it is to start anew, that is done now, and not again where a queue starts it twice."""
    if not cell.values["rerun"]:
        return cell
    with cell.folder.held():
        cell.folder.clear()
    return replace(cell, values={**cell.values, "rerun": False})


def planned_file(cell: Cell) -> Path:
    """The planned run, written into its folder.

    Raises:
        OutputError: that cannot be.
    """
    folder = cell.folder.path.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_cell(folder / PLANNED, cell)
    except OSError as error:
        raise OutputError(
            f"A run folder must be writable. Found {folder}: {error.strerror}. Set output_dir=… elsewhere."
        ) from error
    return folder / PLANNED


def launch(files: Sequence[Path], launcher: Sequence[str]) -> str:
    """Hand one job for each planned run to the launcher, and wait for all; why that ended early, if it did.

    Raises:
        ConfigError: the launcher's own keys are not as they must be.
        MissingPackageError: it is not installed.
    """
    places = {"planned": files, "working_dir": [Path.cwd()], "output_dir": [files[0].parents[1]]}
    words = [f"{key}={','.join(quoted(path) for path in paths)}" for key, paths in places.items()]
    try:
        with explained():
            by_hydra.launch("planned", ["-m", *launcher, *words], planned_job)
    except (ConfigError, MissingPackageError):
        raise
    except Exception as error:  # a launcher's own: no cluster, a worker that was killed, …
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "\\'") + "'"


def planned_job(config: Mapping[str, str]) -> None:
    """What the launcher runs, in a process that it has started somewhere. How it ended stands in the run's folder."""
    os.chdir(config["working_dir"])
    cell = read_cell(Path(config["planned"]))
    run_cells([cell], 1, cell.values["sweep"]["silence"], lambda _: None)


def reason(cell: Cell, why: str) -> str:
    """What the run's folder tells of its failure, else what stopped the launcher, else how far the run came."""
    state, told = cell.folder.state()
    return told if state == "failed" else why or f"{state} {told}".strip()
