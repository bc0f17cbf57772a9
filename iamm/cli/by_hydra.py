"""What only Hydra can compose: its own options and settings, searches, and configurations that are not plain."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from iamm.cli.compose import Jobs, checked, run_job
from iamm.config.compose import Composed, keys, set_threads
from iamm.config.limits import guarded
from iamm.config.mistakes import explained, refuse_dashes
from iamm.errors import ConfigError, FailedCellError, UserError


def run_by_hydra(words: Sequence[str], jobs: Jobs) -> None:
    """Compose and run each job as it comes; those of a plain sweep are kept, for they need not run one after another.

    Errors of a job are kept too rather than raised through Hydra, which would print lines of its own.
    """

    @hydra.main(version_base="1.3", config_path="pkg://iamm.configs", config_name="train")
    def job(config: DictConfig) -> float | None:
        jobs.sweeping = HydraConfig.get().mode == RunMode.MULTIRUN
        if jobs.sweeping and not plain_sweep():
            return quality(config)
        try:
            with explained():
                found = composed(config, jobs.sweeping)
        except UserError as error:
            print(f"iamm-train: {error}", file=sys.stderr)
            jobs.failed.append(error)
        else:
            run_job(found, jobs)
        return None

    refuse_dashes(words)
    sys.argv[1:] = words
    with guarded():
        job()


def composed(config: DictConfig, sweeping: bool) -> Composed:
    set_threads(config, sweeping)
    values: Any = OmegaConf.to_container(config, resolve=True)
    return Composed(values, HydraConfig.get().runtime.choices, keys(HydraConfig.get().overrides.task))


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
    if config.mode != "train":
        raise ConfigError(f"A search trains. Found mode={config.mode}: leave it out.")
    from iamm.sweep.sweep import searched

    try:
        with explained():
            return searched(checked(composed(config, sweeping=True)))
    except UserError as error:
        raise FailedCellError(str(error)) from None
