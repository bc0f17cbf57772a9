"""The declaration of a measure that a head reports: its name, its scale and whether lower is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DECIMALS = {"percent": 2, "raw": 4, "count": 1}
"""Decimal places shown, by scale."""


@dataclass(frozen=True)
class Measure:
    """The declaration of one measure.

    Args:
        name: the name in `quality=`, in tags and in the columns of a table.
        scale: `percent` for a share from 0 to 1, shown in percent points; `raw` and `count` for one shown unchanged.
        lower_is_better: whether the lower of two values is the better one.

    Raises:
        ValueError: an unknown scale.
    """

    name: str
    scale: str = "percent"
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        if self.scale not in DECIMALS:
            raise ValueError(f"`scale` must be one of {', '.join(DECIMALS)}. Found {self.scale} of {self.name}.")

    @property
    def factor(self) -> float:
        """The factor between a value and its display."""
        return 100.0 if self.scale == "percent" else 1.0

    @property
    def decimals(self) -> int:
        """The number of decimal places shown."""
        return DECIMALS[self.scale]

    def shown(self, value: float) -> str:
        """Format a value for display: 0.8725 as 87.25 percent points, a loss of 0.07 as 0.0700."""
        return f"{self.factor * value:.{self.decimals}f}"

    def quality(self, value: float) -> float:
        """Convert a value to a quality, where higher is better; validation and weightings use it.

        It is v where higher is better; 1 − v of a share where lower is better, and 1 / (1 + v) of a raw value: 1 at 0,
        and always above 0. (A raw value below 0 continues as 1 − v.)
        """
        if not self.lower_is_better:
            return value
        return 1 / (1 + value) if self.scale == "raw" and value >= 0 else 1 - value


LOSS = Measure("loss", "raw", lower_is_better=True)
PERPLEXITY = Measure("perplexity", "raw", lower_is_better=True)
TRAIN_LOSS = Measure("train_loss", "raw", lower_is_better=True)
"""Of a run's curve."""


def undeclared(name: str) -> Measure:
    """Give the measure of a name that no result declares, as in a run of release 0.1, or `train_loss`."""
    return next((measure for measure in (LOSS, PERPLEXITY, TRAIN_LOSS) if measure.name == name), Measure(name))


def selects(measure: Measure, scene: str, result: Mapping[str, Any]) -> bool:
    """Whether the scene's quality in a result is that of the measure."""
    value = result["test"][scene].get(measure.name)
    return value is not None and measure.quality(value) == result["quality"][scene]


def as_json(measures: Mapping[str, Mapping[str, Measure]]) -> dict[str, dict[str, Any]]:
    """Give scene → name → measure in the form of a result."""
    return {
        scene: {
            name: {"scale": measure.scale, "lower_is_better": measure.lower_is_better}
            for name, measure in declared.items()
        }
        for scene, declared in measures.items()
    }


def measures_of(result: Mapping[str, Any]) -> dict[str, dict[str, Measure]]:
    """Give scene → name → measure of a run's result; a result of release 0.1 has only the names."""
    declared = result.get("measures", {})
    return {
        scene: {name: Measure(name, **declared[scene][name]) if declared else undeclared(name) for name in values}
        for scene, values in result["test"].items()
    }
