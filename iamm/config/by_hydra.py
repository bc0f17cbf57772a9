"""Hydra composes here what only it can: its own options and settings, searches, configurations that are not plain."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from iamm.config.compose import Composed, set_threads
from iamm.config.composer import Tree
from iamm.config.hydra_compat import BASIC
from iamm.config.limits import guarded
from iamm.errors import ConfigError

CONFIGS = "iamm.configs"
VERSION = "1.3"

Compose = Callable[[], Composed]
"""A function that resolves the configuration that Hydra has composed."""


def run_main(primary: str, words: Sequence[str], job: Callable[[DictConfig], float | None]) -> None:
    """Let Hydra read a command line, and call the job with each configuration by the launcher that the words choose."""
    sys.argv[1:] = words
    with guarded():
        hydra.main(version_base=VERSION, config_path=f"pkg://{CONFIGS}", config_name=primary)(job)()


def launch(primary: str, words: Sequence[str], job: Callable[[dict[str, Any]], None]) -> None:
    """As `run_main`, for a job that takes plain values; the launcher may start it on another machine."""

    @wraps(job)
    def run(config: DictConfig) -> None:
        job(plain_values(config))

    run_main(primary, words, run)


def run_jobs(words: Sequence[str], run: Callable[[Compose, bool], None], search: Callable[[Compose], float]) -> None:
    """Compose each job of a command line of `iamm-train`.

    Args:
        words: of the command line.
        run: takes a job, and whether it is one of a plain sweep, whose jobs need not run one after another.
        search: runs a job of a search, and gives the quality on validation.
    """

    def job(config: DictConfig) -> float | None:
        sweeping = HydraConfig.get().mode == RunMode.MULTIRUN

        def compose() -> Composed:
            set_threads(config, sweeping)
            return composed(config)

        if not sweeping or is_plain_sweep():
            run(compose, sweeping)
            return None
        require_quality(config)
        return search(compose)

    run_main("train", words, job)


def options(words: Sequence[str]) -> Composed | None:
    """Compose the options of `iamm-table`; None where Hydra only shows something."""
    jobs: list[Composed] = []
    run_main("table", words, lambda config: jobs.append(composed(config)))
    return jobs[0] if jobs else None


def composed(config: DictConfig) -> Composed:
    """Give the configuration of the job that Hydra is running."""
    settings = HydraConfig.get()
    return Composed(plain_values(config), settings.runtime.choices, list(settings.overrides.task))


def plain_values(config: DictConfig) -> dict[str, Any]:
    values: Any = OmegaConf.to_container(config, resolve=True)
    return values


def is_plain_sweep() -> bool:
    """Tell whether Hydra's own sweeper and launcher are chosen, whose jobs need not run one after another."""
    parts = (HydraConfig.get().launcher, HydraConfig.get().sweeper)
    return all(part["_target_"].startswith(BASIC) for part in parts)


def require_quality(config: DictConfig) -> None:
    """Refuse a search that is not one for the best quality of a training.

    Raises:
        ConfigError: it minimises, or does not train.
    """
    direction = HydraConfig.get().sweeper.get("direction", "maximize")
    if getattr(direction, "name", direction) != "maximize":
        raise ConfigError(
            "A search maximises the quality on validation. Found hydra.sweeper.direction=minimize: write "
            "hydra.sweeper.direction=maximize."
        )
    if config.mode != "train":
        raise ConfigError(f"A search trains. Found mode={config.mode}: leave it out.")


def compose_tree(words: Sequence[str], folder: str | None) -> tuple[Tree, Mapping[str, Any]]:
    """Compose one run: its configuration, references unresolved, and the choice of each group.

    Args:
        words: overrides.
        folder: of the user's own YAML files.
    """
    search = [] if folder is None else [f"hydra.searchpath=['file://{Path(folder).absolute()}']"]
    with hydra.initialize_config_module(CONFIGS, version_base=VERSION), guarded():
        config = hydra.compose("train", overrides=[*words, *search], return_hydra_config=True)
    choices: Any = OmegaConf.to_container(config.hydra.runtime.choices)
    tree: Any = OmegaConf.to_container(config)
    return {key: value for key, value in tree.items() if key != "hydra"}, choices


def resolve_tree(tree: Tree) -> dict[str, Any]:
    """Replace the references of a tree as OmegaConf does."""
    return plain_values(OmegaConf.create(tree))
