"""The defaults lists are walked here: which YAML files make a configuration, in which order, at which place each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from iamm.config.mistakes import NoChoiceError, no_name, unknown_choice, unknown_group
from iamm.config.overrides import NotPlainError, Override
from iamm.config.sources import MISSING, SELF, Default, Sources

Files = list[tuple[str, str]]
"""Each YAML file, named as `Sources` does, with the place of its content."""


class Defaults:
    """A walk over the defaults lists, from the last entry to the first: a later entry may set the choices before it.

    Args:
        sources: the YAML files.
        overrides: the choices of the command line.
    """

    def __init__(self, sources: Sources, overrides: Sequence[Override]) -> None:
        self.sources = sources
        self.overridden: dict[str, Any] = {}
        self.added: list[Default] = []
        self.chosen: dict[str, str] = {}
        self.used: set[str] = set()
        for override in overrides:
            self.take(override)

    def take(self, override: Override) -> None:
        if override.sign not in ("", "+") or (override.package is not None and "_g" in override.package):
            raise NotPlainError(override)
        if not isinstance(override.value, (str, list)):
            raise no_name()
        if isinstance(override.value, list) and not all(isinstance(name, str) for name in override.value):
            raise NotPlainError(override)
        if override.sign == "+":
            self.added.append(Default(override.value, override.key, override.package))
        else:
            place = "" if override.package is None else f"@{override.package}"
            self.overridden[override.key + place] = override.value

    def files(self) -> Files:
        """Give each YAML file of the configuration, in order.

        Raises:
            ConfigError: a group or choice that does not exist.
            NotPlainError: only Hydra can compose these.
        """
        typed = set(self.overridden)
        files = self.walk(self.sources.primary, "", None, "", self.added)
        for key in self.overridden.keys() - self.used:
            group = key.split("@")[0]
            if key not in typed or group in {name.split("@")[0] for name in self.chosen}:
                raise NotPlainError(key)
            raise unknown_group(key)
        return files

    def walk(self, path: str, outer: str, package: str | None, group: str, added: Sequence[Default] = ()) -> Files:
        """Give one file and those of its defaults list.

        Args:
            path: of the file.
            outer: place of the file in whose list it stands.
            package: which that list names.
            group: the place where no package is named.
            added: entries of the command line.
        """
        source = self.sources.read(path)
        if source is None:
            group, name = path.split("/")[0], path.split("/")[-1]
            raise unknown_choice(group, name, self.sources.choices(group))
        place = joined(outer, source.header if package is None else package, group)
        for number, entry in enumerate(source.defaults):
            if entry.override:
                self.overridden.setdefault(key_of(entry, place), entry.value)
            elif entry.value != SELF and any(one.override for one in source.defaults[:number]):
                raise NotPlainError(path)
        entries = [entry for entry in [*source.defaults, *added] if not entry.override]
        return in_reverse(entries, lambda entry: self.entry(entry, path, place))

    def entry(self, entry: Default, path: str, place: str) -> Files:
        if entry.group is None:
            neighbour = f"{path.rpartition('/')[0]}/{entry.value}"
            return [(path, place)] if entry.value == SELF else self.walk(neighbour, place, None, "")
        group, key = entry.group, key_of(entry, place)
        choice = self.overridden.get(key, entry.value)
        self.used.add(key)
        if choice == MISSING:
            raise NoChoiceError(group, self.sources.choices(group))
        if isinstance(choice, list):
            return in_reverse(choice, lambda name: self.walk(f"{group}/{name}", place, entry.package, group))
        if key in self.chosen:
            raise NotPlainError(key)
        self.chosen[key] = choice
        return self.walk(f"{group}/{choice}", place, entry.package, group)


def in_reverse(entries: Sequence[Any], files_of: Callable[[Any], Files]) -> Files:
    """Walk the entries from the last to the first, and give their files in the entries' order."""
    walked = [files_of(entry) for entry in reversed(entries)]
    return [file for files in reversed(walked) for file in files]


def joined(outer: str, package: str | None, group: str) -> str:
    """Give a place inside another, unless it begins anew at `_global_`."""
    whole = ".".join(part for part in (outer, group if package is None else package) if part)
    return whole.rpartition("_global_")[2].lstrip(".")


def key_of(entry: Default, place: str) -> str:
    """Give the key that the command line uses for a choice: its group, and its place where that has another name."""
    assert entry.group is not None
    own = joined(place, entry.package, entry.group)
    return entry.group if own == entry.group else f"{entry.group}@{own or '_global_'}"
