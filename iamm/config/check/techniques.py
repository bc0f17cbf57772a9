"""This file checks which techniques of a training go together, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iamm.config.mistakes import Mistake

UNPRUNED = {
    "average": "an average of weights is not sparse",
    "phases": "a phase would begin with all weights",
    "target": "a transfer would change the weights that are 0",
}
"""Keys that a pruning does not go together with, and why."""

PRUNINGS = {"prune": UNPRUNED, "prune_heads": {**UNPRUNED, "prune": "one schedule prunes weights or heads"}}


def check_techniques(values: Mapping[str, Any]) -> None:
    """Refuse what would undo a pruning.

    Raises:
        Mistake: the first value that is not allowed.
    """
    for prune, others in PRUNINGS.items():
        for key, reason in others.items():
            if values[prune] is not None and values[key] is not None:
                raise Mistake(
                    f"`{prune}` and `{key}` do not go together: {reason}. Found both: leave one out.", prune, key
                )
