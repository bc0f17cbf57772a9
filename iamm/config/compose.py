"""A command line → its configurations, composed and resolved, that wait to be checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iamm.config.composer import Composer, Tree
from iamm.config.hydra_compat import combinations
from iamm.config.overrides import Line, NotPlainError, side_by_side
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
    """Every job of a plain command line of `iamm-train`.

    Raises:
        ConfigError: a choice or a key that is not there.
        NotPlainError: only Hydra can compose one of them.
    """
    sources = Sources(line.folder)
    composer = Composer(sources)
    found = []
    for words in combinations(line.overrides, sources.choices) if line.sweeping else [line.overrides]:
        tree, taken = composer.compose(words)
        set_threads(tree, line.sweeping)
        found.append(Composed(resolved(tree), taken, keys(words)))
    return found


def options(line: Line) -> Composed:
    """Those of a plain command line of `iamm-table`.

    Raises:
        ConfigError: a choice or a key that is not there.
        NotPlainError: only Hydra can compose them.
    """
    tree, taken = Composer(Sources(line.folder, "table")).compose(line.overrides)
    return Composed(resolved(tree), taken, keys(line.overrides))


def as_yaml(line: Line, primary: str) -> str:
    """The composed configuration, references as they stand."""
    return to_yaml(Composer(Sources(line.folder, primary)).compose(line.overrides)[0])


def to_yaml(tree: Mapping[str, Any]) -> str:
    """As a `config.yaml` holds it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(tree)))


def tree_composer(sources: Sources) -> Callable[[Sequence[str]], tuple[Tree, Mapping[str, Any]]]:
    """Overrides of a run → its configuration, references unresolved, and the choice of each group; what is not plain is
    left to Hydra."""
    composer = Composer(sources)

    def compose(words: Sequence[str]) -> tuple[Tree, Mapping[str, Any]]:
        words = side_by_side(words)
        try:
            return composer.compose(words)
        except NotPlainError:
            from iamm.config.by_hydra import compose_tree

            return compose_tree(words, sources.folder)

    return compose


def resolve(tree: Tree) -> dict[str, Any]:
    """The same configuration, each reference replaced by what it stands for."""
    try:
        return resolved(tree)
    except NotPlainError:
        from iamm.config.by_hydra import resolve_tree

        return resolve_tree(tree)


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
