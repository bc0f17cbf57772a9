"""Configurations for tests, composed as the commands compose them: some hundred times as fast as Hydra."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from iamm.config.compose import resolve, tree_composer
from iamm.config.sources import Sources

COMPOSE = tree_composer(Sources())


def config_of(*words: str) -> DictConfig:
    """The configuration of a run, references unresolved, as Hydra's `compose("train", overrides=words)` gives it."""
    tree, _ = COMPOSE(words)
    config = OmegaConf.create(tree)
    OmegaConf.set_struct(config, True)
    return config


def values_of(*words: str) -> dict[str, Any]:
    """The plain values of a run."""
    return resolve(COMPOSE(words)[0])
