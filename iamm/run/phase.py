"""Phases of a run: the scenes that are trained, for how long, and the frozen parameters."""

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
        scenes: names of the trained and validated scenes; None: all.
        freeze: patterns of the names of frozen parameters.
        start: name of the earlier phase whose best model this one starts from; empty: the previous phase.
        length: its epochs, steps and patience; the keys of the run hold for those that are missing.
    """

    name: str = ""
    scenes: tuple[str, ...] | None = None
    freeze: tuple[str, ...] = ()
    start: str = ""
    length: Mapping[str, int] = field(default_factory=dict)

    def datasets(self, datasets: Sequence[Dataset]) -> list[Dataset]:
        """The data sets with a scene of this phase, restricted to its scenes."""
        if self.scenes is None:
            return list(datasets)
        parts = [dataset.only(self.scenes) for dataset in datasets]
        return [part for part in parts if part.scenes]


WHOLE = Phase()
"""All scenes, nothing frozen, for the length given by the keys of the run."""


def phases_of(phases: Mapping[str, Mapping[str, Any]] | None) -> list[Phase]:
    """The phases of a configuration; null is one phase without a name."""
    return [phase_of(name, settings) for name, settings in (phases or {"": {}}).items()]


def phase_of(name: str, settings: Mapping[str, Any]) -> Phase:
    scenes = settings.get("scenes")
    length = {key: settings[key] for key in ("epochs", "steps", "patience") if key in settings}
    return Phase(
        name,
        None if scenes is None else tuple(scenes),
        tuple(settings.get("freeze", ())),
        settings.get("start", ""),
        length,
    )
