"""References in a configuration, `${dim}` or `${oc.env:NAME,else}`, and the values that they stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from iamm.config.check.run_keys import leaves
from iamm.config.mistakes import BrokenReferenceError
from iamm.config.overrides import NotPlainError

REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\}")
ENVIRONMENT = re.compile(r"\$\{oc\.env:(\w+),([A-Za-z/._][\w/.-]*)\}")
DEEPEST = 100

Place = tuple[Mapping[str, Any], ...]
"""The mappings around a value, from the whole configuration inwards."""


def resolved(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The same configuration, each reference replaced by a copy of what it stands for.

    Raises:
        ConfigError: a reference to what is not there.
        NotPlainError: one of another kind, or round in a circle.
    """
    try:
        return {key: value_at((tree,), part, 0) for key, part in tree.items()}
    except KeyError as missing:
        path = next((path for path, _, value in leaves(tree) if value == missing.args[0]), None)
        if path is None:
            raise NotPlainError(missing) from missing
        raise BrokenReferenceError(path, missing.args[0][2:-1]) from None


def value_at(place: Place, value: Any, depth: int) -> Any:
    if depth > DEEPEST:
        raise NotPlainError(value)
    if isinstance(value, Mapping):
        inside = (*place, value)
        return {key: value_at(inside, part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        if any("${" in part for part in value if isinstance(part, str)) or any(
            isinstance(p, (dict, list)) for p in value
        ):
            raise NotPlainError(value)
        return list(value)
    if isinstance(value, str) and "${" in value:
        return value_at(*target(place, value, depth), depth + 1)
    return value


def target(place: Place, text: str, depth: int) -> tuple[Place, Any]:
    """What a reference stands for, and where that is."""
    if found := ENVIRONMENT.fullmatch(text):
        if found[2].lower() == "null":
            raise NotPlainError(text)
        told = os.environ.get(found[1], found[2])
        if "${" in told:
            raise NotPlainError(text)
        return place, told
    found = REFERENCE.fullmatch(text)
    up = len(found[1]) if found else 0
    if found is None or up > len(place) or depth > DEEPEST:
        raise NotPlainError(text)
    place = place[: len(place) - up + 1] if up else place[:1]
    return inside(place, found[2].split("."), text, depth)


def inside(place: Place, path: list[str], text: str, depth: int) -> tuple[Place, Any]:
    key, *rest = path
    if key not in place[-1]:
        raise KeyError(text)
    value = place[-1][key]
    if value == "???":
        raise NotPlainError(text)
    if isinstance(value, str) and "${" in value:
        place, value = target(place, value, depth + 1)
    if not rest:
        return place, value
    if not isinstance(value, Mapping):
        raise NotPlainError(text)
    return inside((*place, value), rest, text, depth)
