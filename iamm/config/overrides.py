"""An override, `key=value`, is parsed here as Hydra's grammar has it: quickly where it is simple, else by Hydra."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

KEY = re.compile(r"(\+{0,2}|~)([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)(?:@([A-Za-z_][\w.-]*))?(?:=|$)", re.ASCII)
TEXT = re.compile(r"[A-Za-z_/][\w/.:@%+-]*|\$\{[\w.]+\}", re.ASCII)
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
FRACTION = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][+-]?[0-9]+)?|(?:0|[1-9][0-9]*)[eE][+-]?[0-9]+)")
NAMED = {"true": True, "false": False, "null": None, "inf": float("inf"), "nan": float("nan")}


class NotPlainError(Exception):
    """Something that only Hydra can read or compose."""


@dataclass(frozen=True)
class Override:
    """One override.

    Args:
        sign: `+` adds, `++` adds or sets, `~` deletes, an empty one sets.
        key: of the configuration, or a group.
        package: the place of the group's choice, behind `@`.
        value: plain; None for `~key`.
    """

    sign: str
    key: str
    package: str | None
    value: Any


@cache
def parsed(word: str) -> Override:
    """Parse an override.

    Raises:
        HydraException: it is none, or has several values.
    """
    key = KEY.match(word)
    if key and (key[1] == "~" or word[key.end() - 1] == "="):
        try:
            return Override(key[1], key[2], key[3], simple(word[key.end() :]) if "=" in word else None)
        except NotPlainError:
            pass
    from iamm.config.hydra_compat import read_override

    override = read_override(word)
    sign = re.match(r"[+~]*", override.get_key_element())
    return Override(sign[0] if sign else "", override.key_or_group, override.package, override.value())


def simple(text: str) -> Any:
    """Parse a word, a number or a flat list of them, without blanks, quotes and other signs of the grammar.

    Raises:
        NotPlainError: anything else.
    """
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1]
        if inner and ("[" in inner or any(not part for part in inner.split(","))):
            raise NotPlainError(text)
        return [simple(part) for part in inner.split(",")] if inner else []
    if INTEGER.fullmatch(text):
        return int(text)
    if FRACTION.fullmatch(text):
        return float(text)
    if text and not TEXT.fullmatch(text):
        raise NotPlainError(text)
    return NAMED.get(text.lower(), text)
