"""Hydra's side of `iamm-train`: compose the configuration, check it, hand it down."""

from __future__ import annotations

import os
import sys

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from iamm.cli.check import check
from iamm.cli.mistakes import explained, refuse_dashes
from iamm.cli.simplex import expanded
from iamm.errors import UserError

SWEEP_FAILED = 3


def run_command_line() -> int:
    """Run the only job or every job of a sweep; the exit code.

    A job that fails by a user's mistake says so in one line at once and leaves the other jobs of a sweep alone. Errors
    are kept here rather than raised through Hydra, which would print lines of its own.
    """
    failed: list[UserError] = []
    defects: list[Exception] = []
    sweeping: list[bool] = []

    @hydra.main(version_base="1.3", config_path="pkg://iamm.configs", config_name="train")
    def job(config: DictConfig) -> None:
        sweeping.append(HydraConfig.get().mode == RunMode.MULTIRUN)
        try:
            run_job(config, sweeping[-1])
        except UserError as error:
            print(f"iamm-train: {error}", file=sys.stderr)
            failed.append(error)
        except Exception as error:
            defects.append(error)

    refuse_dashes(sys.argv[1:])
    sys.argv[1:] = map(expanded, sys.argv[1:])
    with explained():
        job()
    if defects:
        raise defects[0]
    if not failed:
        return 0
    return SWEEP_FAILED if any(sweeping) else failed[0].exit_code


def run_job(config: DictConfig, sweeping: bool) -> None:
    """One composed configuration. A sweep runs its jobs with one thread each, a single run with all cores."""
    with explained():
        check(config)
    if config.threads is None:
        config.threads = 1 if sweeping else os.cpu_count() or 1
    from iamm.cli.job import evaluate_job, train_job

    if config.mode == "eval":
        evaluate_job(config, moved="data_dir" in given_keys())
    else:
        train_job(config, choices(config))


def given_keys() -> set[str]:
    return {word.lstrip("+").split("=")[0] for word in HydraConfig.get().overrides.task}


def choices(config: DictConfig) -> dict[str, str]:
    """Which choice was taken in each group; data sets and augmentations joined by +."""
    taken = HydraConfig.get().runtime.choices
    single = {key: str(value) for key, value in taken.items() if not key.startswith("hydra/")}
    return {**single, "dataset": "+".join(config.dataset), "augment": "+".join(config.augment) or "none"}
