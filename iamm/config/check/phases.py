"""This file checks the phases of a run: their keys, the scenes they train on, and the phases they begin from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from iamm.config.check.run_keys import RUN
from iamm.config.mistakes import Mistake
from iamm.errors import nearest

LENGTH = ("epochs", "steps", "patience")
KEYS = ("scenes", *LENGTH, "freeze", "start")


def check_phases(phases: Any, scenes: Collection[str] | None) -> None:
    """Check what stands under `phases`.

    Args:
        phases: null, or a mapping of names.
        scenes: names of all scenes of the run; None where they are not known.

    Raises:
        Mistake: the first value that is not allowed.
    """
    if phases is None:
        return
    if not isinstance(phases, Mapping) or not phases:
        raise Mistake(
            "`phases` must be null or hold phases by name. "
            f"Found {phases!r}: write phases={{first:{{epochs:2}},second:{{freeze:[encoder]}}}}.",
            "phases",
        )
    earlier: list[str] = []
    for name, values in phases.items():
        if not re.fullmatch(r"[A-Za-z]\w*", str(name), re.ASCII) or not isinstance(values, Mapping):
            raise Mistake(
                f"A phase must have a name of letters and digits, and hold keys. Found {name}: {values!r}.", "phases"
            )
        check_phase(f"phases.{name}", values, scenes, earlier)
        earlier.append(str(name))


def check_phase(path: str, values: Mapping[str, Any], scenes: Collection[str] | None, earlier: Collection[str]) -> None:
    for key, value in values.items():
        if key not in KEYS:
            raise Mistake(f"A phase has no key `{path}.{key}`. {nearest(str(key), KEYS)}", f"{path}.{key}")
        if key in LENGTH and not RUN[key].holds(value):
            raise Mistake(f"`{path}.{key}` must be {RUN[key].description()}. Found {value!r}.", f"{path}.{key}")
        if key in ("scenes", "freeze") and not (is_names(value) and (value or key == "freeze")):
            raise Mistake(f"`{path}.{key}` must be a list of names. Found {value!r}.", f"{path}.{key}")
    for scene in values.get("scenes", ()):
        if scenes is not None and scene not in scenes:
            raise Mistake(
                f"`{path}.scenes` must name scenes of the run. Found {scene}. {nearest(scene, scenes)}",
                f"{path}.scenes",
            )
    start = values.get("start")
    if start is not None and start not in earlier:
        raise Mistake(
            f"`{path}.start` must name an earlier phase. Found {start!r}. {nearest(str(start), earlier)}",
            f"{path}.start",
        )


def is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
