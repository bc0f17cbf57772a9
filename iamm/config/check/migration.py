"""This file checks the target of a run, and makes the configuration of the run that it migrates from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iamm.config.check.scenes import scenes_of
from iamm.config.mistakes import Mistake
from iamm.errors import nearest

Values = Mapping[str, Any]


def check_migration(values: Values) -> None:
    """Check `target` and the keys that need one.

    Raises:
        Mistake: the first value that is not allowed.
    """
    target = values["target"]
    if target is None:
        for key in ("shots", "draw"):
            if values[key]:
                raise Mistake(f"`{key}` goes with a target. Found {key}={values[key]} alone: add target=….", key)
        return
    words = target_words(values)
    if target not in words:
        near = next((target.removeprefix(f"{name}_") for name in values["dataset"] if f"{name}_" in target), target)
        raise Mistake(f"`target` must be a scene of the run. Found {target}. {nearest(near, words)}", "target")
    if not source_values(values)["dataset"]:
        raise Mistake(
            f"A target needs known scenes. Found {target} alone: give `dataset` others, or list the scenes of a "
            f"file in dataset.{words[target]}.scenes.",
            *("dataset", "target"),
        )
    if values["phases"] is not None:
        raise Mistake("`phases` and `target` do not go together. Found both: leave one out.", "phases", "target")


def target_words(values: Values) -> dict[str, str]:
    """Map what `target` may be to the key of its data set: each entry of a `scenes`, else the data set itself."""
    words: dict[str, str] = {}
    for name, part in values["dataset"].items():
        words |= dict.fromkeys(map(str, part.get("scenes") or [name]), str(name))
    return words


def target_scene(values: Values) -> str:
    """Give the full name of the target's scene; of several views, that of the first."""
    name = target_words(values)[values["target"]]
    part = values["dataset"][name]
    several = part.get("scenes") is not None
    scenes = scenes_of(name, {**part, "scenes": [values["target"]]} if several else part)
    return scenes[0].name


def source_values(values: Values) -> dict[str, Any]:
    """Give the configuration of the run without the target: what anybody trains on the other scenes.

    A data set whose scenes divide its examples among themselves, with a key `left_out`, has the target there, too.
    """
    dataset = {}
    for name, part in values["dataset"].items():
        if others := known_scenes(part, values["target"]):
            dataset[name] = {**part, "scenes": others}
            if "left_out" in part and values["target"] in part["scenes"]:
                dataset[name]["left_out"] = [*(part["left_out"] or ()), values["target"]]
        elif part.get("scenes") is None and name != values["target"]:
            dataset[name] = part
    unused = {"from": None, "target": None, "shots": 0, "draw": 0, "transfer": None, "rerun": False}
    return {**values, "dataset": dataset, **unused}


def known_scenes(part: Values, target: str | None) -> list[str]:
    """Give the `scenes` of a data set but for the target; empty where it has none."""
    return [scene for scene in part.get("scenes") or () if scene != target]
