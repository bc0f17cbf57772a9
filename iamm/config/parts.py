"""A part of a configuration is a mapping with a `_target_`; this file finds parts, and reads what their YAMLs hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from iamm.config.groups import configs_folder

OPTIONAL = {
    "torch.optim.Adam": frozenset({"amsgrad"}),
    "torch.optim.AdamW": frozenset({"amsgrad"}),
    "torch.optim.SGD": frozenset({"dampening"}),
}
"""Keys that a class of a library takes beside those of its YAML."""


class Name(NamedTuple):
    """`attention`, `additive` of iamm.attention.additive.AdditiveAttention."""

    room: str
    variant: str


class Part(NamedTuple):
    """A part: its dotted path, and its keys and values."""

    path: str
    values: Mapping[str, Any]


@cache
def known_targets() -> dict[str, frozenset[str]]:
    """Map each `_target_` of the project's own YAML files to every key that it takes, its inner parts among them."""
    targets: dict[str, frozenset[str]] = dict(OPTIONAL)
    for file in sorted(configs_folder().glob("*/*.yaml")):
        text = file.read_text(encoding="utf-8")
        for indent, target in re.findall(r"^( *)_target_: (\S+)$", text, flags=re.MULTILINE):
            keys = re.findall(rf"^{indent}([a-z]\w*):", text, flags=re.MULTILINE)
            inner = re.findall(r"^  - /\w+@(\w+): ", text, flags=re.MULTILINE)
            targets[target] = targets.get(target, frozenset()) | {*keys, *inner} - {"defaults"}
    return targets


@cache
def name_of(target: Any) -> Name | None:
    """Give room and variant of a class that a YAML file of the project names; None of any other."""
    if not isinstance(target, str) or target not in known_targets():
        return None
    package, room, variant = target.split(".")[:3]
    return Name(room, variant) if package == "iamm" else Name("optimizer", variant)


def named(part: Any) -> Name | None:
    """Give room and variant of a part; None of what is no part, or a user's own."""
    target = part.get("_target_") if isinstance(part, Mapping) else None
    return name_of(target) if isinstance(target, str) else None


def variant_of(part: Any) -> str:
    """Give the variant of a part, as messages name it."""
    name = named(part)
    return name.variant if name else "another's"


def parts(value: Any, path: str = "") -> Iterator[Part]:
    """Yield every part, outer ones first, at any depth and in lists, too."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield Part(path, value)
        for key, inner in value.items():
            yield from parts(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from parts(inner, f"{path}[{index}]")
