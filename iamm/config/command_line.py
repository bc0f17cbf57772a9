"""A command line is split here into its options and its overrides, where that needs no Hydra."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from iamm.config.overrides import NotPlainError
from iamm.errors import ConfigError

HYDRA = re.compile(r"[+~]*hydra\b")
NAMED_CHOICES = re.compile(r"dataset=\[?([\w@,]*@[\w@,]*)\]?", re.ASCII)
SWEEP, FOLDER, SHOW = ("-m", "--multirun"), ("-cd", "--config-dir"), ("-c", "--cfg")


@dataclass(frozen=True)
class Line:
    """A plain command line.

    Args:
        overrides: what composes the configuration.
        sweeping: whether each combination of their values is a run.
        shown: whether the configuration is only printed.
        folder: of the user's own YAML files.
    """

    overrides: tuple[str, ...]
    sweeping: bool = False
    shown: bool = False
    folder: str | None = None


def plain_line(words: Sequence[str]) -> Line:
    """Split a command line.

    Raises:
        NotPlainError: a word is Hydra's own: another option, or one about `hydra` itself.
    """
    options: dict[str, Any] = {}
    overrides, rest = [], iter(words)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in SWEEP and not equals:
            options["sweeping"] = True
        elif name in FOLDER:
            options["folder"] = value if equals else next(rest, "")
        elif name in SHOW and (value if equals else next(rest, "")) == "job":
            options["shown"] = True
        elif name in SHOW or word.startswith("-") or HYDRA.match(word):
            raise NotPlainError(word)
        else:
            overrides.append(word)
    if options.keys() >= {"sweeping", "shown"}:
        raise NotPlainError("--cfg")
    return Line(tuple(overrides), **options)


def refuse_rerun(words: Sequence[str]) -> None:
    """Refuse Hydra's rerun, which unpickles the file that it is given, and so may run anything.

    Raises:
        ConfigError: the option is among the words.
    """
    for word in words:
        if word.startswith("--e") and "--experimental-rerun".startswith(word.split("=")[0]):
            raise ConfigError(
                f"A run is repeated from its configuration, not from a pickle. Found {word}: leave it out."
            )


def in_order(words: Sequence[str]) -> list[str]:
    """Put options before overrides, as Hydra's parser needs them."""
    return sorted(words, key=lambda word: not word.startswith("-") and ("=" in word or word.startswith("~")))


def side_by_side(words: Sequence[str]) -> list[str]:
    """Write data sets with names of their own as Hydra does: `dataset=[shapes,image_folder@pets]` becomes
    `dataset=[shapes]` and `+dataset@dataset.pets=image_folder`."""
    written: list[str] = []
    for word in words:
        match = NAMED_CHOICES.fullmatch(word)
        choices = [choice.partition("@") for choice in match[1].split(",")] if match else []
        named = [f"+dataset@dataset.{name}={choice}" for choice, sign, name in choices if sign]
        plain = ",".join(choice for choice, sign, _ in choices if not sign)
        written += [f"dataset=[{plain}]", *named] if named else [word]
    return written


def keys(overrides: Sequence[str]) -> set[str]:
    """Give the keys and groups that overrides set."""
    return set(written(overrides))


def written(overrides: Sequence[str]) -> dict[str, str]:
    """Give each key or group that overrides set, with its value as written."""
    pairs = (word.lstrip("+").partition("=") for word in overrides)
    return {key: value for key, _, value in pairs}
