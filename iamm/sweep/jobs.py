"""A command line of `iamm-train`: compose each configuration, check it, run it or hand it to its sweep."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iamm.config.command_line import HYDRA, in_order, keys, plain_line, refuse_rerun, side_by_side
from iamm.config.compose import Composed, as_yaml, composed, named_choices
from iamm.config.explain import explained
from iamm.config.mistakes import refuse_dashes
from iamm.config.overrides import NotPlainError
from iamm.config.simplex import expanded
from iamm.errors import FailedCellError, UserError

if TYPE_CHECKING:
    from iamm.run.planned import Cell


@dataclass
class Jobs:
    """What a command line comes to: cells to be run side by side, and the mistakes of jobs that ran at once."""

    sweeping: bool = False
    cells: list[Cell] = field(default_factory=list)
    failed: list[UserError] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)

    def run(self, compose: Callable[[], Composed], sweeping: bool) -> None:
        """One configuration, run here and now unless it can wait for its sweep.

        Errors are kept: one job's leave the others alone, and Hydra would print lines of its own.
        """
        self.sweeping = sweeping
        try:
            with explained():
                found = compose()
            cell = checked(found)
            if cell.values["mode"] != "train":
                look_again(cell.values, moved="data_dir" in keys(found.overrides))
            elif sweeping:
                self.cells.append(cell)
            else:
                from iamm.run.job import train_job

                train_job(cell)
        except UserError as error:
            print(f"iamm-train: {error}", file=sys.stderr)
            self.failed.append(error)
        except Exception as error:
            self.defects.append(error)


def run_command_line(words: Sequence[str]) -> int:
    """Run the only job or every job of a sweep; the exit code.

    A sweep is composed and checked whole before its first run begins, then run side by side (`pool.py`) or by another
    launcher of Hydra's (`launch.py`), each run in a process of its own. What is plain is composed by our own composer,
    all else by Hydra. A job that fails by a user's mistake says so in one line at once and leaves the other jobs alone.
    """
    refuse_rerun(words)
    words, launcher = split([expanded(word) for word in side_by_side(in_order(words))])
    jobs = Jobs()
    with explained():
        try:
            line = plain_line(words)
            refuse_dashes(line.overrides)
            if line.shown:
                sys.stdout.write(as_yaml(line, "train"))
                return 0
            waiting = deque(composed(line))
        except NotPlainError:
            from iamm.config.by_hydra import run_jobs

            refuse_dashes(words)
            run_jobs(words, jobs.run, search)
        else:
            while waiting:
                jobs.run(waiting.popleft, line.sweeping)
    return run_cells(jobs, launcher)


def split(words: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The words that plan a sweep, and those that choose its launcher; all and none where none speaks of Hydra."""
    if not any(HYDRA.match(word) for word in words):
        return words, ()
    from iamm.sweep.launch import split

    return split(words)


def search(compose: Callable[[], Composed]) -> float:
    """Run a job of a search; what it reaches on validation.

    Raises:
        FailedCellError: the sweeper must hear.
    """
    from iamm.sweep.sweep import searched

    try:
        with explained():
            return searched(checked(compose()))
    except UserError as error:
        raise FailedCellError(str(error)) from None


def checked(found: Composed) -> Cell:
    """Raises:
    ConfigError: a value, or values together, that cannot be.
    """
    from iamm.config.check.values import check_composed
    from iamm.run.planned import Cell

    check_composed(found.values, found.overrides)
    return Cell(found.values, named_choices(found.chosen, found.values))


def look_again(values: Mapping[str, Any], *, moved: bool) -> None:
    """At a finished run: its model's measures, or all of it.

    Args:
        values: of this command line, not of the run.
        moved: whether the data now lie where these values say, not where the run found them.
    """
    from iamm.run.job import evaluate_job
    from iamm.run.verify import verify_job

    again = evaluate_job if values["mode"] == "eval" else verify_job
    again(values, moved=moved)


def run_cells(jobs: Jobs, launcher: Sequence[str]) -> int:
    if jobs.cells:
        from iamm.run.planned import distinct
        from iamm.sweep.sweep import sweep

        jobs.failed += sweep(distinct(jobs.cells), launcher)
    if jobs.defects:
        raise jobs.defects[0]
    if not jobs.failed:
        return 0
    return FailedCellError.exit_code if jobs.sweeping else jobs.failed[0].exit_code
