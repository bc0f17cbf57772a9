"""A phase: which scenes a run trains on for a while, how long, and what is frozen meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iamm.dataset.base import Dataset


@dataclass(frozen=True)
class Phase:
    """One training of a run; a run without phases is one of these.

    Args:
        name: as in `phases`; empty where a run has none.
        scenes: names of those that are trained on and validate; None: all.
        freeze: patterns of the parameters that stay as they are.
        start: name of the earlier phase whose best model it begins from; empty: the one before.
        length: what it says of epochs, steps and patience; the run's own keys say the rest.
    """

    name: str = ""
    scenes: tuple[str, ...] | None = None
    freeze: tuple[str, ...] = ()
    start: str = ""
    length: Mapping[str, int] = field(default_factory=dict)

    def datasets(self, datasets: Sequence[Dataset]) -> list[Dataset]:
        """Those that have a scene of this phase, without their other scenes."""
        if self.scenes is None:
            return list(datasets)
        parts = [dataset.only(self.scenes) for dataset in datasets]
        return [part for part in parts if part.scenes]


WHOLE = Phase()
"""All scenes, nothing frozen, as long as the run's own keys say."""


def phases_of(phases: Mapping[str, Mapping[str, Any]] | None) -> list[Phase]:
    """What a configuration says of `phases`; null is one phase without a name."""
    return [phase_of(name, given) for name, given in (phases or {"": {}}).items()]


def phase_of(name: str, given: Mapping[str, Any]) -> Phase:
    scenes = given.get("scenes")
    length = {key: given[key] for key in ("epochs", "steps", "patience") if key in given}
    return Phase(
        name, None if scenes is None else tuple(scenes), tuple(given.get("freeze", ())), given.get("start", ""), length
    )
