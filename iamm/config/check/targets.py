"""This file checks what a configuration may call: classes of the project, and of packages that the user allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from iamm.config.mistakes import Mistake
from iamm.config.parts import Part, known_targets, named, parts
from iamm.errors import closest
from iamm.own import ALLOW, OTHERS, is_allowed

OPTIMIZER = re.compile(r"torch\.optim\.[A-Z]\w*")
OPTIONS = ("_target_", "_convert_", "_partial_", "_recursive_")
CONVERSIONS = ("none", "partial", "object", "all")


def check_targets(configured: Iterable[Part]) -> None:
    """The `_target_` of each part must be a class of the project's rooms, or of an allowed package.

    Args:
        configured: every part of a configuration, at any depth.

    Raises:
        Mistake: the first that is not.
    """
    for part in configured:
        check_target(f"{part.path}._target_".lstrip("."), part.values["_target_"])
        check_options(part)


def check_target(path: str, target: Any) -> None:
    if not isinstance(target, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", target):
        raise Mistake(f"`{path}` must be the dotted name of a class. Found {target!r}.", path)
    if target in known_targets() or OPTIMIZER.fullmatch(target) or is_allowed(target):
        return
    raise Mistake(
        f"`{path}` must be a class that a YAML file of the project names, or allowed by name. Found {target}. "
        f"{advice(target)}",
        path,
    )


def advice(target: str) -> str:
    """Say what to do instead; the advice is never to allow what can run any program."""
    package, close = target.split(".")[0], closest(target, known_targets())
    if close and close.split(".")[0] == package:
        return f'Did you mean "{close}"?'
    if package in OTHERS:
        return "Leave it out: it can do anything to this machine."
    return f"If you trust it, allow its package by name: {ALLOW}={package} in the environment."


def check_options(part: Part) -> None:
    """Keys with an underscore say how Hydra calls a part, and only Hydra's own are allowed."""
    for key, value in part.values.items():
        path = f"{part.path}.{key}"
        if key == "_convert_" and value not in CONVERSIONS:
            raise Mistake(f"`{path}` must be one of {', '.join(CONVERSIONS)}. Found {value!r}.", path)
        if key in ("_partial_", "_recursive_") and not isinstance(value, bool):
            raise Mistake(f"`{path}` must be true or false. Found {value!r}.", path)
        if str(key).startswith("_") and key not in OPTIONS and named(part.values):
            raise Mistake(f"A part's arguments stand by name. Found {path}: write each as a key.", path)


HYDRA_TARGETS = re.compile(
    r"hydra\._internal\.core_plugins\.\w+\.\w+"
    r"|hydra_plugins\.\w+\.\w+\.\w+(Launcher|Sweeper)"
    r"|optuna\.(samplers|pruners)\.[A-Z]\w*"
)
"""Launchers and sweepers, and the parts of the sweeper of the extra `optuna`."""


def check_hydra(values: Mapping[str, Any]) -> None:
    """Hydra's own settings may call its launchers and sweepers, and nothing else; nor may they set the environment.

    Args:
        values: each of `HYDRA_NODES`, plain.

    Raises:
        Mistake: the first that does more.
    """
    for part in parts(values, "hydra"):
        target, path = part.values["_target_"], f"{part.path}._target_"
        if not isinstance(target, str) or not (HYDRA_TARGETS.fullmatch(target) or is_allowed(target)):
            raise Mistake(f"`{path}` must be a launcher or sweeper of Hydra's. Found {target!r}: leave it out.", path)
    for key in ("job_logging", "hydra_logging"):
        if (values.get(key) or {}).get("root") is not None:
            raise Mistake(f"The commands keep no log by Hydra. Found hydra.{key}: leave it out.", f"hydra.{key}")
    for key in ("env_set", "env_copy"):
        path = f"hydra.job.{key}"
        if values.get(path.removeprefix("hydra.")):
            raise Mistake(f"The environment is set outside. Found {path}: leave it out.", path)


HYDRA_NODES = ("launcher", "sweeper", "callbacks", "job_logging", "hydra_logging", "job.env_set", "job.env_copy")
"""Nodes of Hydra's own settings that can call something or set the environment."""
HYDRA_PLACES = {
    **{"output_subdir": (None,), "run.dir": (".",), "job.chdir": (None, False)},
    **{"sweep.dir": ("${output_dir}/sweeps",), "sweep.subdir": (".",)},
}
"""Settings of where Hydra works and writes, with the values that they may have, references unresolved."""


def check_places(settings: Mapping[str, Any]) -> None:
    """Hydra writes no file of its own elsewhere than below `output_dir`, where it would replace others.

    Args:
        settings: all of Hydra's, references unresolved.

    Raises:
        Mistake: the first that is set.
    """
    for key, known in HYDRA_PLACES.items():
        value: Any = settings
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else value
        if value not in known:
            raise Mistake(
                f"Hydra works in the current folder. Found hydra.{key}={value}: leave it out.", f"hydra.{key}"
            )
