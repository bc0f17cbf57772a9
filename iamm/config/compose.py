"""A plain command line → its configurations, composed and resolved, that wait to be checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iamm.config.combinations import combinations
from iamm.config.composer import Composer
from iamm.config.overrides import Line
from iamm.config.references import resolved
from iamm.config.sources import Sources
from iamm.processors import processors


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


def keys(words: Sequence[str]) -> set[str]:
    return {word.lstrip("+").split("=")[0] for word in words}


def set_threads(tree: Any, sweeping: bool) -> None:
    """A sweep runs its jobs with one thread each, a single run with all processors that it may use."""
    if tree.get("threads", 0) is None:
        tree["threads"] = 1 if sweeping and tree.get("mode") == "train" else processors()


def named_choices(taken: Mapping[str, Any], values: Any) -> dict[str, str]:
    """Which choice was taken in each group; data sets and augmentations joined by +."""
    single = {key: str(value) for key, value in taken.items() if not key.startswith("hydra/")}
    return {**single, "dataset": "+".join(values["dataset"]), "augment": "+".join(values["augment"]) or "none"}
