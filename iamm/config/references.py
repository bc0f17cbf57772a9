"""References in a configuration, `${dim}` or `${oc.env:NAME,default}`, are replaced here by what they stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from iamm.config.check.run_keys import leaves
from iamm.config.mistakes import broken_reference
from iamm.config.overrides import NotPlainError

REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
ENVIRONMENT = re.compile(r"\$\{oc\.env:(\w+),([A-Za-z/._][\w/.-]*)\}")
DEEPEST = 100

Place = tuple[Mapping[str, Any], ...]
"""The mappings around a value, from the whole configuration inwards."""


def resolved(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Give the same configuration, each reference replaced by a copy of what it stands for.

    Raises:
        ConfigError: a reference to a key that does not exist.
        NotPlainError: a reference of another kind, or a circle of them.
    """
    try:
        return {key: resolved_value((tree,), part, 0) for key, part in tree.items()}
    except KeyError as missing:
        path = next((path for path, _, value in leaves(tree) if value == missing.args[0]), None)
        if path is None:
            raise NotPlainError(missing) from missing
        raise broken_reference(path, missing.args[0][2:-1]) from None


def resolved_value(place: Place, value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise NotPlainError(value)
    if isinstance(value, dict):
        inside = (*place, value)
        return {key: resolved_value(inside, part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        if any(isinstance(part, (dict, list)) or is_reference(part) for part in value):
            raise NotPlainError(value)
        return list(value)
    return resolved_value(*target(place, value, depth), depth + 1) if is_reference(value) else value


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def target(place: Place, text: str, depth: int) -> tuple[Place, Any]:
    """Give what a reference stands for, and the place where that is."""
    if match := ENVIRONMENT.fullmatch(text):
        variable = os.environ.get(match[1], match[2])
        if match[2].lower() == "null" or is_reference(variable):
            raise NotPlainError(text)
        return place, variable
    match = REFERENCE.fullmatch(text)
    up = len(match[1]) if match else 0
    if match is None or up > len(place) or depth > DEEPEST:
        raise NotPlainError(text)
    place = place[: len(place) - up + 1] if up else place[:1]
    value: Any = place[-1]
    for key in match[2].split("."):
        if not isinstance(value, Mapping):
            raise NotPlainError(text)
        if value is not place[-1]:
            place = (*place, value)
        if key not in value:
            raise KeyError(text)
        value = value[key]
        if is_reference(value):
            place, value = target(place, value, depth + 1)
        if value == "???":
            raise NotPlainError(text)
    return place, value
