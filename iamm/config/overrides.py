"""The words of a command line: which of them are plain, that is, can be read without Hydra; and what each says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

from iamm.errors import ConfigError

KEY = re.compile(r"(\+{0,2}|~)([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)(?:@([A-Za-z_][\w.-]*))?(?:=|$)", re.ASCII)
SIGNS = re.compile(r"[A-Za-z_/][\w/.:@%+-]*|\$\{[\w.]+\}", re.ASCII)
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
FRACTION = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)?\.[0-9]+(?:[eE][+-]?[0-9]+)?|(?:0|[1-9][0-9]*)[eE][+-]?[0-9]+)")
NAMED = {"true": True, "false": False, "null": None, "inf": float("inf"), "nan": float("nan")}
HYDRA = re.compile(r"[+~]*hydra\b")
SIMPLEX = re.compile(r"(?P<key>[^=]+)=\s*simplex\(\s*(?P<scenes>\d+)\s*,\s*(?P<parts>\d+)\s*\)")
MOST_POINTS = 10_000
NAMED_CHOICES = re.compile(r"dataset=\[?([\w@,]*@[\w@,]*)\]?", re.ASCII)
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


def side_by_side(words: Sequence[str]) -> list[str]:
    """Data sets with names of their own, `dataset=[shapes,image_folder@pets]`, in Hydra's words: `dataset=[shapes]` and
    `+dataset@dataset.pets=image_folder`."""
    found: list[str] = []
    for word in words:
        listed = NAMED_CHOICES.fullmatch(word)
        choices = listed[1].split(",") if listed else []
        named = [choice.partition("@") for choice in choices if "@" in choice]
        plain = ",".join(choice for choice in choices if "@" not in choice)
        found += [f"dataset=[{plain}]", *(f"+dataset@dataset.{n}={c}" for c, _, n in named)] if named else [word]
    return found


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
    from iamm.config.hydra_compat import read_override

    read = read_override(word)
    sign = re.match(r"[+~]*", read.get_key_element())
    assert sign is not None
    return Word(sign[0], read.key_or_group, read.package, read.value())


def expanded(word: str) -> str:
    """A word of the command line, its `simplex(S,N)` written out as Hydra's list of choices.

    Raises:
        ConfigError: what is not `simplex(S,N)` with S ≥ 2 scenes and N ≥ 1 parts, or has too many points.
    """
    if not re.match(r"[^=]+=\s*simplex\b", word):
        return word
    found = SIMPLEX.fullmatch(word)
    scenes, parts = (int(found["scenes"]), int(found["parts"])) if found else (0, 0)
    if found is None or scenes < 2 or parts < 1:
        raise ConfigError(
            f"`simplex(S,N)` takes S scenes, at least 2, and N parts of the whole, at least 1. Found {word!r}: "
            "write 'weighting.values=simplex(3,10)', in quotes."
        )
    count = math.comb(parts + scenes - 1, scenes - 1)
    if count > MOST_POINTS:
        raise ConfigError(
            f"A sweep takes at most {MOST_POINTS:,} points. Found {count:,} in {word!r}: take fewer parts."
        )
    return f"{found['key']}={','.join(str(list(point)) for point in grid(scenes, parts))}"


def grid(scenes: int, parts: int) -> Iterator[tuple[float, ...]]:
    """All weights of S scenes that are multiples of 1/N and sum to 1, the first scene's weight falling.

    Each is a way to set S − 1 bars among N stars: the weights are the stars between neighbouring bars.
    """
    places = parts + scenes - 1
    for bars in reversed(list(combinations(range(places), scenes - 1))):
        edges = (-1, *bars, places)
        yield tuple((right - left - 1) / parts for left, right in pairwise(edges))
