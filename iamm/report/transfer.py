"""What learning scenes together gave or took, scene by scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iamm.report.records import drop_keys

Result = Mapping[str, Any]
"""The content of a `result.json`."""

BUDGET = ("seed", "epochs", "steps", "batch_size", "accumulate", "growth", "growth_every", "patience")


def transfer(together: Result, alone: Sequence[Result]) -> dict[str, float]:
    """Test quality of each scene learnt with the others, minus that of the scene learnt alone.

    Below 0 is negative transfer. Quality is the measure, 0 to 1, that the scene's head is judged by.

    Args:
        together: of a run of several scenes.
        alone: of runs of one scene each, with the same seed, budget and data (but for `views`); others are left out.

    Raises:
        ValueError: a scene that was not run alone in the same way, or more than once.
    """
    found = {}
    for scene, quality in together["quality"].items():
        rivals = [result for result in alone if set(result["quality"]) == {scene} and comparable(together, result)]
        if len(rivals) != 1:
            raise ValueError(
                "Transfer needs each scene run alone once, with the same seed, budget and data. "
                f"Found {len(rivals)} such runs of {scene} with seed {together['config']['seed']}."
            )
        found[scene] = quality - rivals[0]["quality"][scene]
    return found


def comparable(one: Result, other: Result) -> bool:
    """Same seed, budget and examples."""
    first, second = (drop_keys(result["config"], ("views",)) for result in (one, other))
    shared = [key for key in second["dataset"] if first["dataset"].get(key) == second["dataset"][key]]
    return bool(shared) and all(first[key] == second[key] for key in BUDGET)
