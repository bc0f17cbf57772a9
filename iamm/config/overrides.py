"""The words of a command line: which of them are plain, that is, can be read without Hydra; and what each says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from iamm.errors import ConfigError

KEY = re.compile(r"(\+{0,2}|~)([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)(?:@([A-Za-z_][\w.-]*))?(?:=|$)", re.ASCII)
SIGNS = re.compile(r"[A-Za-z_/][\w/.:@%+-]*|\$\{[\w.]+\}", re.ASCII)
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
FRACTION = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][+-]?[0-9]+)?|(?:0|[1-9][0-9]*)[eE][+-]?[0-9]+)")
NAMED = {"true": True, "false": False, "null": None, "inf": float("inf"), "nan": float("nan")}
HYDRA = re.compile(r"[+~]*hydra\b")
SWEEP, FOLDER, SHOW = ("-m", "--multirun"), ("-cd", "--config-dir"), ("-c", "--cfg")


class NotPlainError(Exception):
    """What only Hydra itself can read or compose."""


@dataclass(frozen=True)
class Line:
    """A plain command line.

    Args:
        overrides: what composes the configuration.
        sweeping: whether each combination of their values is a run.
        shown: whether the configuration is only to be printed.
        folder: of the user's own YAML files.
    """

    overrides: tuple[str, ...]
    sweeping: bool = False
    shown: bool = False
    folder: str | None = None


def plain_line(words: Sequence[str]) -> Line:
    """Raises:
    NotPlainError: a word is Hydra's own: another option, or one about `hydra` itself.
    """
    found: dict[str, Any] = {}
    overrides, rest = [], iter(words)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in SWEEP and not equals:
            found["sweeping"] = True
        elif name in FOLDER:
            found["folder"] = value if equals else next(rest, "")
        elif name in SHOW and (value if equals else next(rest, "")) == "job":
            found["shown"] = True
        elif name in SHOW or word.startswith("-") or HYDRA.match(word):
            raise NotPlainError(word)
        else:
            overrides.append(word)
    if found.keys() >= {"sweeping", "shown"}:
        raise NotPlainError("--cfg")
    return Line(tuple(overrides), **found)


def refuse_rerun(words: Sequence[str]) -> None:
    """Hydra's rerun unpickles the file that it is given, which may run anything."""
    for word in words:
        if word.startswith("--e") and "--experimental-rerun".startswith(word.split("=")[0]):
            raise ConfigError(
                f"A run is repeated from its configuration, not from a pickle. Found {word}: leave it out."
            )


def in_order(words: Sequence[str]) -> list[str]:
    """Options before overrides, as Hydra's parser wants them."""
    return sorted(words, key=lambda word: not word.startswith("-") and ("=" in word or word.startswith("~")))


@dataclass(frozen=True)
class Word:
    """An override.

    Args:
        sign: `+` adds, `++` adds or sets, `~` deletes, none sets.
        key: of the configuration, or a group.
        package: where the group's choice shall stand, behind `@`.
        value: plain; none for `~key`.
    """

    sign: str
    key: str
    package: str | None
    value: Any


@cache
def parsed(word: str) -> Word:
    """What an override says, as Hydra's grammar has it: read here where that is easy.

    Raises:
        HydraException: no override, or one with several values.
    """
    key = KEY.match(word)
    if key and (key[1] == "~" or word[key.end() - 1] == "="):
        try:
            return Word(key[1], key[2], key[3], simple(word[key.end() :]) if "=" in word else None)
        except NotPlainError:
            pass
    return parsed_by_hydra(word)


def simple(text: str) -> Any:
    """A word, a number or a flat list of them, without blanks, quotes and other signs of the grammar."""
    if text.startswith("[") and text.endswith("]"):
        inner = text[1:-1]
        if inner and ("[" in inner or any(not part for part in inner.split(","))):
            raise NotPlainError(text)
        return [simple(part) for part in inner.split(",")] if inner else []
    if INTEGER.fullmatch(text):
        return int(text)
    if FRACTION.fullmatch(text):
        return float(text)
    if text and not SIGNS.fullmatch(text):
        raise NotPlainError(text)
    return NAMED.get(text.lower(), text)


def parsed_by_hydra(word: str) -> Word:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.types import RunMode

    read = OverridesParser.create().parse_overrides([word])
    ConfigLoaderImpl.validate_sweep_overrides_legal(read, RunMode.RUN, from_shell=True)
    sign = re.match(r"[+~]*", read[0].get_key_element())
    assert sign is not None
    return Word(sign[0], read[0].key_or_group, read[0].package, read[0].value())
