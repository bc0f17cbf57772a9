"""What a command line can name that is not there: an error for each, which knows what it is about and says it in one
line."""

from __future__ import annotations

from collections.abc import Sequence

from iamm.config.groups import choices, groups, known_keys, owners, slots
from iamm.errors import ConfigError, closest, nearest


class UnknownKeyError(ConfigError):
    """An override of a key that the configuration lacks."""

    def __init__(self, key: str) -> None:
        super().__init__(unknown(key))
        self.key = key


class NullKeyError(ConfigError):
    """A key that shall be deleted, but holds nothing."""

    def __init__(self, key: str) -> None:
        super().__init__(f"`~` deletes a key that holds a value. Found ~{key}, which is null: leave it out.")
        self.key = key


class UnknownGroupError(ConfigError):
    """A choice for a group that no defaults list holds."""

    def __init__(self, group: str) -> None:
        if group == "table":
            text = "A comparison table is built by iamm-table. Found table=…: write iamm-table table=…."
        elif group in groups():
            text = f"`{group}` has no default to override. Found {group}=…: write +{group}=…."
        else:
            text = f"A group must stand in the defaults list. Found {group}. {nearest(group, groups())}"
        super().__init__(text)


class UnknownChoiceError(ConfigError):
    """A choice that its group lacks.

    Args:
        group: of the choice.
        name: as it is typed; empty: none.
        known: the choices that there are; none: those of the project.
    """

    def __init__(self, group: str, name: str, known: Sequence[str] = ()) -> None:
        if group in groups():
            hint = nearest(name, known or choices(group))
            super().__init__(f"`{group}` must be one of its choices. Found {name or 'none'}. {hint}")
        else:
            super().__init__(f"A group must be one of the project's. Found {group}. {nearest(group, groups())}")


class NoChoiceError(ConfigError):
    """A group without a default, for which nothing is chosen."""

    def __init__(self, group: str, known: Sequence[str]) -> None:
        super().__init__(f"`{group}` has no default. Found none: add {group}=…. Choices: {', '.join(known)}.")
        self.group, self.known = group, known


class NoNameError(ConfigError):
    """A group that is given no name of a choice."""

    def __init__(self) -> None:
        super().__init__("A group takes the name of a choice. Found null or a number: see --help for the choices.")


class SeveralValuesError(ConfigError):
    """Values with commas between them where there is one run."""

    def __init__(self, word: str) -> None:
        super().__init__(f"A key takes one value. Found {word}: add -m to sweep over them, or write [a,b] for a list.")
        self.word = word


class BrokenReferenceError(ConfigError):
    """A reference to a key that is not there."""

    def __init__(self, path: str, reference: str) -> None:
        super().__init__(
            f"`{path}` must refer to a key that is there. Found ${{{reference}}}: set it, or write a value."
        )


def refuse_dashes(words: Sequence[str], known: Sequence[str] = ()) -> None:
    """Options begin with dashes, keys (those of `iamm-train`, unless others are given) do not."""
    for word in words:
        key = word.lstrip("-").split("=")[0]
        if word.startswith("-") and key in (known or known_keys()):
            raise ConfigError(f"A key stands without dashes. Found {word}: write {key}=….")


def listed(choices: Sequence[str], most: int = 3) -> str:
    """Some of them by name, the others by number."""
    if len(choices) <= most:
        return " or ".join(choices)
    return f"{', '.join(choices[:most])} or {len(choices) - most} others"


def unknown(key: str) -> str:
    """The nearest right key; for one of a choice that is not taken, that choice."""
    if key in owners():
        taken = listed(sorted(owners()[key]))
        return f"A key must belong to a chosen part. Found {key}, a key of {taken}: choose that, or leave the key out."
    if key in groups() and key not in dict(slots()):
        return f"A part of an attention has its place. Found {key}=…: write {key}@attention.{key}=…."
    return unlike_any(key, known_keys(), "iamm-train")


def unlike_any(key: str, known: Sequence[str], command: str) -> str:
    """The nearest of the known keys, be it by its end alone (`lr` of optimizer.lr); of equals the shortest."""
    ends = {ending(name, depth(key)): name for name in sorted(known, key=depth, reverse=True)}
    close = closest(key, sorted(ends, key=lambda end: depth(ends[end])))
    hint = f'Did you mean "{ends[close]}"?' if close else f"See {command} --help."
    return f"A key must be known. Found {key}. {hint}"


def ending(name: str, parts: int) -> str:
    return ".".join(name.split(".")[-parts:])


def depth(name: str) -> int:
    return name.count(".") + 1
