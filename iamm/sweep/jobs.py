"""The command line of `iamm-train`: compose and check each configuration, then run it or add it to its sweep."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from iamm.config.command_line import HYDRA, in_order, keys, plain_line, refuse_rerun, side_by_side
from iamm.config.compose import Composed, as_yaml, composed, named_choices
from iamm.config.explain import explained
from iamm.config.mistakes import refuse_other_forms
from iamm.config.overrides import NotPlainError
from iamm.config.simplex import expanded
from iamm.errors import FailedCellError, UserError
from iamm.output import print_mistake

if TYPE_CHECKING:
    from iamm.run.planned import Cell

SUMMARY = "--summary"
"""The option that prints the parts of each job's model instead of training it."""


@dataclass
class Jobs:
    """The planned runs of a command line, and the errors of its jobs; `summary`: models are only summarised."""

    summary: bool = False
    sweeping: bool = False
    cells: list[Cell] = field(default_factory=list)
    failed: list[UserError] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)

    def run(self, compose: Callable[[], Composed], sweeping: bool) -> None:
        """Compose and check one configuration; run it, or add it to the sweep.

        Errors are collected, so that other jobs continue and Hydra prints no lines for them.
        """
        self.sweeping = sweeping
        try:
            with explained():
                composed = compose()
            cell = checked(composed)
            if self.summary:
                from iamm.run.job import summary_job

                summary_job(cell)
            elif cell.values["mode"] != "train":
                revisit(cell.values, moved="data_dir" in keys(composed.overrides))
            elif sweeping:
                from iamm.run.planned import with_source

                self.cells += with_source(cell)
            else:
                from iamm.run.job import train_job

                train_job(cell)
        except UserError as error:
            if str(error) not in map(str, self.failed):  # a mistake of all jobs is one line
                print_mistake("iamm-train", error)
            self.failed.append(error)
        except Exception as error:
            self.defects.append(error)


def run_command_line(words: Sequence[str]) -> int:
    """Run the only job or every job of a sweep; return the exit code.

    A sweep is composed and checked completely before its first run starts. Its runs have separate processes, started by
    `pool.py` or by another launcher of Hydra (`launch.py`). Plain overrides are composed by our composer, others by
    Hydra. A job that fails by a user's mistake prints one line; the other jobs continue.
    """
    refuse_rerun(words)
    jobs = Jobs(summary=SUMMARY in words)
    words = [word for word in words if word != SUMMARY]
    words, launcher = split([expanded(word) for word in side_by_side(in_order(words))])
    with explained():
        try:
            line = plain_line(words)
            refuse_other_forms(line.overrides)
            if line.shown:
                sys.stdout.write(as_yaml(line, "train"))
                return 0
            waiting = deque(composed(line))
        except NotPlainError:
            from iamm.config.by_hydra import run_jobs

            refuse_other_forms(words)
            run_jobs(words, jobs.run, search)
        else:
            while waiting:
                jobs.run(waiting.popleft, line.sweeping)
    return run_cells(jobs, launcher)


def split(words: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """Split the words into those that plan a sweep and those that choose its launcher."""
    if not any(HYDRA.match(word) for word in words):
        return words, ()
    from iamm.sweep.launch import split

    return split(words)


def search(compose: Callable[[], Composed]) -> float:
    """Run a job of a search; return its quality on validation.

    Raises:
        FailedCellError: the run failed, which the sweeper must know.
    """
    from iamm.sweep.sweep import searched

    try:
        with explained():
            return searched(checked(compose()))
    except UserError as error:
        raise FailedCellError(str(error)) from None


def checked(composed: Composed) -> Cell:
    """Check a configuration; return its planned run.

    Raises:
        ConfigError: a value, or a combination of values, is invalid.
    """
    from iamm.config.check.values import check_composed
    from iamm.run.planned import Cell

    check_composed(composed.values, composed.overrides)
    return Cell(composed.values, named_choices(composed.chosen, composed.values), tuple(composed.overrides))


def revisit(values: Mapping[str, Any], *, moved: bool) -> None:
    """Evaluate or repeat a finished run.

    Args:
        values: configuration of this command line, not of the run.
        moved: whether the data are in the `data_dir` of these values instead of the recorded one.
    """
    from iamm.run.job import evaluate_job
    from iamm.run.verify import verify_job

    again = evaluate_job if values["mode"] == "eval" else verify_job
    again(values, moved=moved)


def run_cells(jobs: Jobs, launcher: Sequence[str]) -> int:
    """Run the planned cells, and return the exit code of all jobs."""
    if jobs.cells:
        from iamm.run.planned import distinct
        from iamm.sweep.summary import summarize
        from iamm.sweep.sweep import sweep

        cells = distinct(jobs.cells)
        jobs.failed += sweep(cells, launcher)
        summarize(cells)
    if jobs.defects:
        raise jobs.defects[0]
    if not jobs.failed:
        return 0
    return FailedCellError.exit_code if jobs.cells else jobs.failed[0].exit_code
