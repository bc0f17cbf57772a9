"""The command line of `iamm-train`: compose each configuration, check it, hand it down."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iamm.cli.combinations import combinations
from iamm.cli.mistakes import explained, refuse_dashes
from iamm.cli.plain import Composer
from iamm.cli.references import resolved
from iamm.cli.simplex import expanded
from iamm.cli.sources import Sources
from iamm.cli.words import HYDRA, Line, NotPlainError, in_order, plain_line, refuse_rerun
from iamm.errors import FailedCellError, UserError

if TYPE_CHECKING:
    from iamm.cli.cells import Cell


@dataclass(frozen=True)
class Composed:
    """A configuration that waits to be checked.

    Args:
        values: resolved, plain containers.
        taken: the choice of each group.
        given: keys that the command line sets.
    """

    values: dict[str, Any]
    taken: Mapping[str, Any]
    given: Collection[str]


@dataclass
class Jobs:
    """What a command line comes to: cells to be run side by side, and the mistakes of jobs that ran at once."""

    sweeping: bool = False
    cells: list[Cell] = field(default_factory=list)
    failed: list[UserError] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)


def run_command_line() -> int:
    """Run the only job or every job of a sweep; the exit code.

    A sweep is composed and checked whole before its first run begins, then run side by side (`pool.py`) or by another
    launcher of Hydra's (`launch.py`), each run in a process of its own. What is plain is composed here (`plain.py`),
    all else by Hydra (`by_hydra.py`). A job that fails by a user's mistake says so in one line at once and leaves the
    other jobs alone.
    """
    refuse_rerun(sys.argv[1:])
    words, launcher = split([expanded(word) for word in in_order(sys.argv[1:])])
    jobs = Jobs()
    with explained():
        try:
            line = plain_line(words)
            refuse_dashes(line.overrides)
            if line.shown:
                return show(line)
            found = composed(line)
        except NotPlainError:
            from iamm.cli.by_hydra import run_by_hydra

            run_by_hydra(words, jobs)
        else:
            jobs.sweeping = line.sweeping
            for each in found:
                run_job(each, jobs)
    return run_cells(jobs, launcher)


def split(words: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The words that plan a sweep, and those that choose its launcher; all and none where none speaks of Hydra."""
    if not any(HYDRA.match(word) for word in words):
        return words, ()
    from iamm.cli.launch import split

    return split(words)


def composed(line: Line) -> list[Composed]:
    """Every job of a plain command line.

    Raises:
        ConfigError: a choice or a key that is not there.
        NotPlainError: only Hydra can compose one of them.
    """
    sources = Sources(line.folder)
    composer = Composer(sources)
    found = []
    for words in combinations(line.overrides, sources) if line.sweeping else [line.overrides]:
        tree, taken = composer.compose(words)
        set_threads(tree, line.sweeping)
        found.append(Composed(resolved(tree), taken, keys(words)))
    return found


def show(line: Line) -> int:
    """Print the composed configuration, references as they stand."""
    from omegaconf import OmegaConf

    tree, _ = Composer(Sources(line.folder)).compose(line.overrides)
    sys.stdout.write(OmegaConf.to_yaml(OmegaConf.create(tree)))
    return 0


def keys(words: Sequence[str]) -> set[str]:
    return {word.lstrip("+").split("=")[0] for word in words}


def set_threads(tree: Any, sweeping: bool) -> None:
    """A sweep runs its jobs with one thread each, a single run with all cores."""
    if tree.get("threads", 0) is None:
        tree["threads"] = 1 if sweeping and tree.get("mode") == "train" else os.cpu_count() or 1


def run_job(found: Composed, jobs: Jobs) -> None:
    """One configuration, run here and now unless it can wait for its sweep."""
    try:
        cell = checked(found)
        if cell.values["mode"] != "train":
            look_again(cell.values, moved="data_dir" in found.given)
        elif jobs.sweeping:
            jobs.cells.append(cell)
        else:
            from iamm.cli.job import train_job

            train_job(cell)
    except UserError as error:
        print(f"iamm-train: {error}", file=sys.stderr)
        jobs.failed.append(error)
    except Exception as error:
        jobs.defects.append(error)


def checked(found: Composed) -> Cell:
    """Raises:
    ConfigError: a value, or values together, that cannot be.
    """
    from iamm.cli.cells import Cell
    from iamm.cli.check import check_composed

    check_composed(found.values, found.taken, found.given)
    return Cell(found.values, named_choices(found.taken, found.values))


def look_again(values: Mapping[str, Any], *, moved: bool) -> None:
    """At a finished run: its model's measures, or all of it.

    Args:
        values: of this command line, not of the run.
        moved: whether the data now lie where these values say, not where the run found them.
    """
    from iamm.cli.job import evaluate_job
    from iamm.cli.verify import verify_job

    again = evaluate_job if values["mode"] == "eval" else verify_job
    again(values, moved=moved)


def run_cells(jobs: Jobs, launcher: Sequence[str]) -> int:
    if jobs.cells:
        from iamm.cli.sweep import sweep

        jobs.failed += sweep(jobs.cells, launcher)
    if jobs.defects:
        raise jobs.defects[0]
    if not jobs.failed:
        return 0
    return FailedCellError.exit_code if jobs.sweeping else jobs.failed[0].exit_code


def named_choices(taken: Mapping[str, Any], values: Any) -> dict[str, str]:
    """Which choice was taken in each group; data sets and augmentations joined by +."""
    single = {key: str(value) for key, value in taken.items() if not key.startswith("hydra/")}
    return {**single, "dataset": "+".join(values["dataset"]), "augment": "+".join(values["augment"]) or "none"}
