"""The runs that stand for a row of a table: those of the learning rate that validation chose."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from iamm.errors import BadDataError, MissingDataError
from iamm.record.run_folder import Result, RunFolder
from iamm.run.finished import read_own
from iamm.table.plan import PlannedRun, TablePlan
from iamm.table.table import Run

NEEDED = (
    *("test", "quality", "validation_quality", "config", "data", "steps", "parameters", "seconds", "peak_memory_mib"),
    *("threads", "device", "notices", "versions", "commit"),
)
"""Keys of a result that a table reads."""
MEASURED = ("test", "quality", "validation_quality")

Key = TypeVar("Key", bound=Hashable)


class Choice(NamedTuple):
    """The learning rate of a row in a setting, and its runs.

    Args:
        rate: that validation chose; None before any run that chooses is finished.
        validation: mean quality on validation of each rate, over its finished seeds, in the runs that choose.
        runs: those of the chosen rate; all, before there is one.
        results: of these runs, by seed.
        finished: the number of finished seeds of each rate, in the runs that choose.
    """

    rate: float | None
    validation: Mapping[float, float]
    runs: Sequence[Run]
    results: Mapping[int, Result]
    finished: Mapping[float, int] = MappingProxyType({})

    def failed(self) -> set[int]:
        """Return the seeds whose run failed; before there is a rate, those that failed at every one."""
        by_seed = grouped(self.runs, lambda run: run.planned.seed)
        return {seed for seed, runs in by_seed.items() if all(run.state == "failed" for run in runs)}


Choices = Mapping[tuple[str, str], Choice]
"""By row and setting."""


def read_run(planned: PlannedRun, output_dir: Path) -> Run:
    """Read the state and the result of a planned run; one whose folder is damaged, or holds another run, failed."""
    try:
        folder = RunFolder(output_dir / planned.folder)
        state, reason = folder.state()
        if state != "finished":
            return Run(planned, state, reason, None)
        result = read_own(folder, planned.values, NEEDED)
        folder.read_records()
    except (BadDataError, MissingDataError) as error:
        return Run(planned, "failed", str(error), None)
    return Run(planned, state, reason, {**result, **{key: numbers(result[key]) for key in MEASURED}})


def numbers(value: Any) -> Any:
    """Replace null, which strict JSON has where a measure is not a number, by nan."""
    if isinstance(value, Mapping):
        return {key: numbers(part) for key, part in value.items()}
    return math.nan if value is None else value


def choose_rates(plan: TablePlan, runs: Iterable[Run]) -> dict[tuple[str, str], Choice]:
    by_place = grouped(runs, lambda run: (run.planned.row, run.planned.setting))
    seeds = choosing(plan)
    return {
        (row, setting): choose(by_place.get((row, setting), ()), seeds, by_place.get((row, judge(plan, setting)), ()))
        for row, setting in product(plan.rows, plan.settings)
    }


def judge(plan: TablePlan, setting: str) -> str:
    """Return the setting in whose runs the learning rates of a setting are chosen."""
    return plan.judges.get(setting, setting)


def choosing(plan: TablePlan) -> tuple[int, ...]:
    """Return the seeds over which learning rates are chosen."""
    return plan.seeds[: plan.choose_seeds]


def needed(plan: TablePlan, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Return the runs that the table needs: of seeds that choose no rate, those at the chosen rates alone.

    The latter are none of a row and setting before all its runs of seeds that choose have ended.
    """
    seeds, chosen = choosing(plan), choose_rates(plan, runs)
    choosing_now = {
        (run.planned.row, run.planned.setting)
        for run in runs
        if run.planned.seed in seeds and run.state not in ("finished", "failed")
    }

    def wanted(planned: PlannedRun) -> bool:
        chooses_now = (planned.row, judge(plan, planned.setting)) in choosing_now
        rate = chosen[planned.row, planned.setting].rate
        return planned.seed in seeds or (not chooses_now and planned.rate == rate)

    return tuple(run for run in runs if wanted(run.planned))


def read_needed(plan: TablePlan, output_dir: Path) -> tuple[Run, ...]:
    """Read the runs that the table needs."""
    return needed(plan, [read_run(run, output_dir) for run in plan.runs])


def choose(runs: Sequence[Run], seeds: Collection[int], judges: Sequence[Run] | None = None) -> Choice:
    """Choose the rate with the most finished seeds and, among such, the best mean quality on validation.

    The test is not used. A rate at which a run failed thus gives way to one without failures. Of equal rates the one
    that was planned first is taken.

    Args:
        runs: of one row and setting.
        seeds: over which the rate is chosen.
        judges: runs of another setting, which choose; None: these do.
    """
    qualities = {
        rate: [validated(run.result) for run in group if run.result is not None and run.planned.seed in seeds]
        for rate, group in grouped(runs if judges is None else judges, lambda run: run.planned.rate).items()
    }
    validation = {rate: fmean(values) for rate, values in qualities.items() if values}
    if not validation:
        return Choice(None, {}, runs, {})
    finished = {rate: len(qualities[rate]) for rate in validation}
    rate = max(validation, key=lambda rate: (finished[rate], validation[rate]))
    chosen = tuple(run for run in runs if run.planned.rate == rate)
    results = {run.planned.seed: run.result for run in chosen if run.result is not None}
    return Choice(rate, validation, chosen, results, finished)


def validated(result: Result) -> float:
    """Return a run's quality on validation: in a migration, that of the target."""
    return result.get("migration", {}).get("validation", result["validation_quality"])


def grouped(runs: Iterable[Run], key: Callable[[Run], Key]) -> dict[Key, tuple[Run, ...]]:
    """Group the runs by a key, in their order."""
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return {name: tuple(group) for name, group in groups.items()}
