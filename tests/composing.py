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


FEW = {
    "train": 200,
    "validation": 16,
    "test": 16,
    "users": 60,
    "items": 30,
    "limit": 400,
    "evaluated": 20,
    "max_length": 40,
}
"""Keys of data sets, and the sizes that a short run gives them."""
ALL_UNLESS_GIVEN = ("limit", "train", "evaluated")


def few(datasets: dict[str, Any]) -> list[str]:
    """Overrides that make each of a configuration's data sets small."""
    return [
        f"dataset.{name}.{key}={FEW[key]}"
        for name, part in datasets.items()
        for key in FEW.keys() & part.keys()
        if type(part[key]) is int or (part[key] is None and key in ALL_UNLESS_GIVEN)
    ]


def values_of(*words: str) -> dict[str, Any]:
    """The plain values of a run."""
    return resolve(COMPOSE(words)[0])
