"""Hydra's side of `iamm-train`: compose the configuration, check it, hand it down."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from iamm.cli.cells import Cell
from iamm.cli.check import check
from iamm.cli.launch import split
from iamm.cli.mistakes import explained, refuse_dashes
from iamm.cli.simplex import expanded
from iamm.errors import ConfigError, FailedCellError, UserError


@dataclass
class Jobs:
    """What a command line comes to: cells to be run side by side, and the mistakes of jobs that ran at once."""

    sweeping: bool = False
    cells: list[Cell] = field(default_factory=list)
    failed: list[UserError] = field(default_factory=list)
    defects: list[Exception] = field(default_factory=list)


def run_command_line() -> int:
    """Run the only job or every job of a sweep; the exit code.

    A sweep is composed whole before its first run begins, then run side by side (`pool.py`) or by another launcher of
    Hydra's (`launch.py`), each run in a process of its own. Only a search, another sweeper of Hydra's, composes and
    runs one job after another. A job that fails by a user's mistake says so in one line at once and leaves the other
    jobs alone; errors are kept here rather than raised through Hydra, which would print lines of its own.
    """
    jobs = Jobs()

    @hydra.main(version_base="1.3", config_path="pkg://iamm.configs", config_name="train")
    def job(config: DictConfig) -> float | None:
        return run_job(config, jobs)

    refuse_dashes(sys.argv[1:])
    sys.argv[1:], launcher = split([expanded(word) for word in sys.argv[1:]])
    with explained():
        job()
    if jobs.cells:
        from iamm.cli.sweep import sweep

        jobs.failed += sweep(jobs.cells, launcher)
    if jobs.defects:
        raise jobs.defects[0]
    if not jobs.failed:
        return 0
    return FailedCellError.exit_code if jobs.sweeping else jobs.failed[0].exit_code


def run_job(config: DictConfig, jobs: Jobs) -> float | None:
    """One composed configuration, run here and now unless it can wait for its sweep."""
    jobs.sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
    if jobs.sweeping and not plain_sweep():
        return quality(config)
    try:
        with explained():
            check(config)
        if config.mode == "eval":
            evaluate(config)
            return None
        cell = planned_cell(config, jobs.sweeping)
        if jobs.sweeping:
            jobs.cells.append(cell)
            return None
        from iamm.cli.job import train_job

        train_job(cell)
    except UserError as error:
        print(f"iamm-train: {error}", file=sys.stderr)
        jobs.failed.append(error)
    except Exception as error:
        jobs.defects.append(error)
    return None


def plain_sweep() -> bool:
    """Whether Hydra's own sweeper and launcher are chosen, whose jobs need not be run one after another."""
    parts = (HydraConfig.get().launcher, HydraConfig.get().sweeper)
    return all(part["_target_"].startswith("hydra._internal.core_plugins.basic_") for part in parts)


def quality(config: DictConfig) -> float:
    """Run a job of a search; what it reaches on validation.

    Raises:
        ConfigError: the search is not one for the best quality.
        FailedCellError: the sweeper must hear.
    """
    direction = HydraConfig.get().sweeper.get("direction", "maximize")
    if getattr(direction, "name", direction) != "maximize":
        raise ConfigError(
            "A search maximises the quality on validation. Found hydra.sweeper.direction=minimize: write "
            "hydra.sweeper.direction=maximize."
        )
    if config.mode == "eval":
        raise ConfigError("A search trains. Found mode=eval: leave it out.")
    from iamm.cli.sweep import searched

    try:
        with explained():
            check(config)
        return searched(planned_cell(config, sweeping=True))
    except UserError as error:
        raise FailedCellError(str(error)) from None


def evaluate(config: DictConfig) -> None:
    from iamm.cli.job import evaluate_job

    config.threads = config.threads or os.cpu_count() or 1
    evaluate_job(config, moved="data_dir" in given_keys())


def planned_cell(config: DictConfig, sweeping: bool) -> Cell:
    """The configuration, resolved; a sweep runs its jobs with one thread each, a single run with all cores."""
    if config.threads is None:
        config.threads = 1 if sweeping else os.cpu_count() or 1
    values: Any = OmegaConf.to_container(config, resolve=True)
    return Cell(values, choices(config))


def given_keys() -> set[str]:
    return {word.lstrip("+").split("=")[0] for word in HydraConfig.get().overrides.task}


def choices(config: DictConfig) -> dict[str, str]:
    """Which choice was taken in each group; data sets and augmentations joined by +."""
    taken = HydraConfig.get().runtime.choices
    return named_choices(taken, config)


def named_choices(taken: Any, config: DictConfig) -> dict[str, str]:
    single = {key: str(value) for key, value in taken.items() if not key.startswith("hydra/")}
    return {**single, "dataset": "+".join(config.dataset), "augment": "+".join(config.augment) or "none"}
