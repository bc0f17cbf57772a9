"""A command line is composed and resolved here to configurations that are not yet checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iamm.config.command_line import Line, side_by_side
from iamm.config.composer import Composer, Tree
from iamm.config.hydra_compat import combinations
from iamm.config.overrides import NotPlainError
from iamm.config.references import resolved
from iamm.config.sources import Sources
from iamm.processors import processors


@dataclass(frozen=True)
class Composed:
    """A configuration that is not yet checked.

    Args:
        values: resolved, plain containers.
        chosen: the choice of each group.
        overrides: which it was composed of.
    """

    values: dict[str, Any]
    chosen: Mapping[str, Any]
    overrides: Sequence[str]


def composed(line: Line, primary: str = "train") -> list[Composed]:
    """Compose every job of a plain command line.

    Args:
        line: of a command.
        primary: the command's file, `train` or `table`.

    Raises:
        ConfigError: a choice or a key that does not exist.
        NotPlainError: only Hydra can compose one of the jobs.
    """
    sources = Sources(line.folder, primary)
    composer = Composer(sources)
    jobs = combinations(line.overrides, sources.choices) if line.sweeping else [line.overrides]
    return [composed_job(composer, overrides, line.sweeping) for overrides in jobs]


def composed_job(composer: Composer, overrides: Sequence[str], sweeping: bool) -> Composed:
    tree, chosen = composer.compose(overrides)
    set_threads(tree, sweeping)
    return Composed(resolved(tree), chosen, overrides)


def as_yaml(line: Line, primary: str) -> str:
    """Compose a configuration and print it, references as they stand."""
    return to_yaml(Composer(Sources(line.folder, primary)).compose(line.overrides)[0])


def to_yaml(tree: Mapping[str, Any]) -> str:
    """Print a configuration as a `config.yaml` holds it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(tree)))


def tree_composer(sources: Sources) -> Callable[[Sequence[str]], tuple[Tree, Mapping[str, Any]]]:
    """Make a function: overrides of a run → its configuration, references unresolved, and the choice of each group.

    It leaves to Hydra what is not plain.
    """
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
    """Replace each reference by what it stands for; leave to OmegaConf what is not plain."""
    try:
        return resolved(tree)
    except NotPlainError:
        from iamm.config.by_hydra import resolve_tree

        return resolve_tree(tree)


def set_threads(tree: Any, sweeping: bool) -> None:
    """Give a job of a sweep one thread, and a single run all processors, or each of its processes an equal part."""
    if tree.get("threads", 0) is None:
        devices = tree.get("devices")
        each = max(1, processors() // devices) if isinstance(devices, int) and devices > 0 else processors()
        tree["threads"] = 1 if sweeping and tree.get("mode") == "train" else each


def named_choices(chosen: Mapping[str, Any], values: Any) -> dict[str, str]:
    """Name the choice of each group; data sets and augmentations are joined by +."""
    single = {key: str(value) for key, value in chosen.items() if not key.startswith("hydra/")}
    return {**single, "dataset": "+".join(values["dataset"]), "augment": "+".join(values["augment"]) or "none"}
