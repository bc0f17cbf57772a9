"""A number that a head reports: its name, how it is shown, and in which direction it is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCALES = ("percent", "raw")


@dataclass(frozen=True)
class Measure:
    """The declaration of one measure.

    Args:
        name: as in `quality=`, in tags and in the columns of a table.
        scale: `percent` of a share from 0 to 1, which is shown in percent points; `raw` of what is shown as it is.
        lower_is_better: whether the lower of two values is the better one.

    Raises:
        ValueError: an unknown scale.
    """

    name: str
    scale: str = "percent"
    lower_is_better: bool = False

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ValueError(f"`scale` must be one of {', '.join(SCALES)}. Found {self.scale} of {self.name}.")

    @property
    def factor(self) -> float:
        """From a value to what is shown."""
        return 100.0 if self.scale == "percent" else 1.0

    @property
    def decimals(self) -> int:
        """How many digits stand behind the point."""
        return 2 if self.scale == "percent" else 4

    def shown(self, value: float) -> str:
        """The value as a person reads it: 0.8725 as 87.25 percent points, a loss of 0.07 as 0.0700."""
        return f"{self.factor * value:.{self.decimals}f}"

    def quality(self, value: float) -> float:
        """The value as what validation selects by and weightings read, where higher is better.

        v where higher is better; 1 − v of a share where lower is better, and 1 / (1 + v) of a raw value: 1 at 0, and
        above 0 whatever the value. (A raw value below 0 continues as 1 − v.)
        """
        if not self.lower_is_better:
            return value
        return 1 / (1 + value) if self.scale == "raw" and value >= 0 else 1 - value


LOSS = Measure("loss", "raw", lower_is_better=True)
PERPLEXITY = Measure("perplexity", "raw", lower_is_better=True)


def undeclared(name: str) -> Measure:
    """A measure that no result declares: of a run of release 0.1, or of no run yet."""
    return next((measure for measure in (LOSS, PERPLEXITY) if measure.name == name), Measure(name))


def as_json(measures: Mapping[str, Mapping[str, Measure]]) -> dict[str, dict[str, Any]]:
    """Scene → name → measure, as a result holds them."""
    return {
        scene: {
            name: {"scale": measure.scale, "lower_is_better": measure.lower_is_better}
            for name, measure in declared.items()
        }
        for scene, declared in measures.items()
    }


def measures_of(result: Mapping[str, Any]) -> dict[str, dict[str, Measure]]:
    """Scene → name → measure, as a run's result declares them; a result of release 0.1 has only their names."""
    declared = result.get("measures", {})
    return {
        scene: {name: Measure(name, **declared[scene][name]) if declared else undeclared(name) for name in found}
        for scene, found in result["test"].items()
    }
