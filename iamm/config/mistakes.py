"""A user's mistakes in a command line or a configuration: each is one line, with the nearest right name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from iamm.config.groups import choices, groups, heading, known_keys, owners, slots
from iamm.errors import ConfigError, closest, nearest


class Mistake(ConfigError):
    """A value, or values together, that cannot be; it knows its keys, so that their origins can be named.

    Args:
        text: the rule, what was found, what to do, in one line.
        keys: dotted paths of the values.
    """

    def __init__(self, text: str, *keys: str) -> None:
        super().__init__(text)
        self.keys = keys


class UnknownKeyError(ConfigError):
    """An override of a key that the configuration lacks."""

    def __init__(self, key: str) -> None:
        super().__init__(unknown(key))
        self.key = key


class NoChoiceError(ConfigError):
    """A group without a default, for which nothing is chosen."""

    def __init__(self, group: str, known: Sequence[str]) -> None:
        super().__init__(f"`{group}` has no default. Found none: add {group}=…. Choices: {', '.join(known)}.")
        self.known = known


class SeveralValuesError(ConfigError):
    """Values with commas between them where there is one run."""

    def __init__(self, word: str) -> None:
        super().__init__(f"A key takes one value. Found {word}: add -m to sweep over them, or write [a,b] for a list.")
        self.word = word


def null_key(key: str) -> ConfigError:
    """A key that an override deletes, but that holds nothing."""
    return ConfigError(f"`~` deletes a key that holds a value. Found ~{key}, which is null: leave it out.")


def unknown_group(group: str) -> ConfigError:
    """A choice for a group that no defaults list holds."""
    if group == "table":
        return ConfigError("A comparison table is built by iamm-table. Found table=…: write iamm-table table=….")
    if group in groups():
        return ConfigError(f"`{group}` has no default to override. Found {group}=…: write +{group}=….")
    return ConfigError(f"A group must stand in the defaults list. Found {group}. {nearest(group, groups())}")


def unknown_choice(group: str, name: str, known: Sequence[str] = ()) -> ConfigError:
    """A choice that its group lacks.

    Args:
        group: of the choice.
        name: as it was typed; may be empty.
        known: the choices there are; empty: those of the project.
    """
    if group not in groups():
        return ConfigError(f"A group must be one of the project's. Found {group}. {nearest(group, groups())}")
    hint = nearest(name, known or choices(group))
    return ConfigError(f"`{group}` must be one of its choices. Found {name or 'none'}. {hint}")


def no_override(word: str) -> ConfigError:
    """A word that is no override: a key or a choice alone, or signs that need quotes."""
    meant = [f"{heading(group)}{word}" for group in groups() if word in choices(group)]
    meant = [f"{word}=…"] if word in known_keys() else [each.removeprefix("iamm-table ") for each in meant]
    advice = f"write {listed(meant)}" if meant else "put quotes around signs and spaces, 'key=\"a b\"'"
    return ConfigError(f"An override must read key=value. Found {word}: {advice}.")


def no_name() -> ConfigError:
    """A group that is set to something else than the name of a choice."""
    return ConfigError("A group takes the name of a choice. Found null or a number: see --help for the choices.")


def broken_reference(path: str, reference: str) -> ConfigError:
    """A reference to a key that does not exist."""
    return ConfigError(f"`{path}` must refer to a key that is there. Found ${{{reference}}}: set it, or write a value.")


def refuse_other_forms(words: Sequence[str], known: Sequence[str] = ()) -> None:
    """Refuse a key that is written as an option, `--epochs=3`, or apart from its value, `epochs 3`.

    Args:
        words: of the command line.
        known: keys of the command; empty: those of `iamm-train`.

    Raises:
        ConfigError: the first such key.
    """
    for word, value in pairwise([*words, "="]):
        key = word.lstrip("-").split("=")[0]
        if key not in (known or known_keys()):
            continue
        if word.startswith("-"):
            raise ConfigError(f"A key stands without dashes. Found {word}: write {key}=….")
        if word == key and "=" not in value and not value.startswith("-"):
            raise ConfigError(f"An override must read key=value. Found {key} {value}: write {key}={value}.")


def listed(names: Sequence[str], most: int = 3) -> str:
    """List some of the names, and count the others."""
    if len(names) <= most:
        return " or ".join(names)
    return f"{', '.join(names[:most])} or {len(names) - most} others"


def unknown(key: str) -> str:
    """Say what to write for an unknown key: the choice that has it, its place, or the nearest known key."""
    if key == "resume":
        return "The same command goes on with an interrupted run by itself. Found resume=…: leave it out."
    if key in owners():
        owner = listed(sorted(owners()[key]))
        return f"A key must belong to a chosen part. Found {key}, a key of {owner}: choose that, or leave the key out."
    if key in groups() and key not in dict(slots()):
        return f"A part of an attention has its place. Found {key}=…: write {key}@attention.{key}=…."
    return unlike_any(key, known_keys(), "iamm-train")


def unlike_any(key: str, known: Sequence[str], command: str) -> str:
    """Name the nearest known key, compared by as many last parts as `key` has (`lr` → optimizer.lr), the shortest of
    equals."""
    depth = key.count(".") + 1
    longest_first = sorted(known, key=lambda name: name.count("."), reverse=True)
    endings = {".".join(name.split(".")[-depth:]): name for name in longest_first}
    close = closest(key, sorted(endings, key=lambda ending: endings[ending].count(".")))
    hint = f'Did you mean "{endings[close]}"?' if close else f"See {command} --help."
    return f"A key must be known. Found {key}. {hint}"
