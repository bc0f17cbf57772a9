"""What may be called: a configuration names classes, and only those of the project, and packages that the user allows
by name, are ever looked up."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from iamm.config.mistake import Mistake
from iamm.config.parts import Part, known_targets, named, parts
from iamm.errors import closest

ALLOW = "IAMM_ALLOW"
"""Environment variable: packages of the user's own, separated by commas. No YAML file can set it, and so none can allow
itself what it names."""
OPTIMIZER = re.compile(r"torch\.optim\.[A-Z]\w*")
WAYS = ("_target_", "_convert_", "_partial_", "_recursive_")
CONVERSIONS = ("none", "partial", "object", "all")


def allowed_packages() -> tuple[str, ...]:
    return tuple(name for name in re.split(r"[,\s]+", os.environ.get(ALLOW, "")) if name)


def is_allowed(target: str) -> bool:
    """Whether a dotted name lies in a package that the user allows."""
    return any(f"{target}.".startswith(f"{package}.") for package in allowed_packages())


def check_targets(found: Iterable[Part]) -> None:
    """The `_target_` of each part is a class of the project's rooms, or allowed by name.

    Args:
        found: every part of a configuration, at any depth.

    Raises:
        Mistake: the first that is not.
    """
    for part in found:
        check_target(f"{part.path}._target_".lstrip("."), part.values["_target_"])
        check_ways(part)


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
    """What to do instead; nobody is led to allow what can run any program."""
    package, close = target.split(".")[0], closest(target, known_targets())
    if close and close.split(".")[0] == package:
        return f'Did you mean "{close}"?'
    if package in sys.stdlib_module_names:
        return "Leave it out: it can do anything to this machine."
    return f"If you trust it, allow its package by name: {ALLOW}={package} in the environment."


def check_ways(part: Part) -> None:
    """How a part is to be called is said in Hydra's own words, each of its own kind."""
    for key, value in part.values.items():
        path = f"{part.path}.{key}"
        if key == "_convert_" and value not in CONVERSIONS:
            raise Mistake(f"`{path}` must be one of {', '.join(CONVERSIONS)}. Found {value!r}.", path)
        if key in ("_partial_", "_recursive_") and not isinstance(value, bool):
            raise Mistake(f"`{path}` must be true or false. Found {value!r}.", path)
        if str(key).startswith("_") and key not in WAYS and named(part.values):
            raise Mistake(f"A part's arguments stand by name. Found {path}: write each as a key.", path)


HYDRAS_OWN = re.compile(
    r"hydra\._internal\.core_plugins\.\w+\.\w+"
    r"|hydra_plugins\.\w+\.\w+\.\w+(Launcher|Sweeper)"
    r"|optuna\.(samplers|pruners)\.[A-Z]\w*"
)
"""Launchers and sweepers, and what the sweeper of the extra `optuna` is made of."""


def check_hydra(values: Mapping[str, Any]) -> None:
    """Hydra's own settings could call anything, and set an environment for others to be called in: they call its own
    launchers and sweepers, and nothing else.

    Args:
        values: each of `HYDRA_NODES`, plain.

    Raises:
        Mistake: the first that would do more.
    """
    for part in parts(values, "hydra"):
        target, path = part.values["_target_"], f"{part.path}._target_"
        if not isinstance(target, str) or not (HYDRAS_OWN.fullmatch(target) or is_allowed(target)):
            raise Mistake(f"`{path}` must be a launcher or sweeper of Hydra's. Found {target!r}: leave it out.", path)
    for key in ("job_logging", "hydra_logging"):
        if (values.get(key) or {}).get("root") is not None:
            raise Mistake(f"The commands keep no log by Hydra. Found hydra.{key}: leave it out.", f"hydra.{key}")
    for key in ("env_set", "env_copy"):
        path = f"hydra.job.{key}"
        if values.get(path.removeprefix("hydra.")):
            raise Mistake(f"The environment is set outside. Found {path}: leave it out.", path)


HYDRA_NODES = ("launcher", "sweeper", "callbacks", "job_logging", "hydra_logging", "job.env_set", "job.env_copy")
