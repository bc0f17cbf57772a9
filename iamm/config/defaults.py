"""Which YAML files a configuration is composed of, in which order, and where the content of each stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iamm.config.mistakes import NoChoiceError, NoNameError, UnknownChoiceError, UnknownGroupError
from iamm.config.overrides import NotPlainError, Word
from iamm.config.sources import MISSING, SELF, Default, Sources


class Defaults:
    """Walks the defaults lists, from the last entry to the first: what stands later may set the choices before it.

    Args:
        sources: the YAML files.
        words: the choices of the command line.
    """

    def __init__(self, sources: Sources, words: Sequence[Word]) -> None:
        self.sources = sources
        self.wanted: dict[str, Any] = {}
        self.added: list[Default] = []
        self.known: dict[str, str] = {}
        self.used: set[str] = set()
        for word in words:
            self.take(word)

    def take(self, word: Word) -> None:
        if word.sign not in ("", "+") or (word.package is not None and "_g" in word.package):
            raise NotPlainError(word)
        if not isinstance(word.value, (str, list)):
            raise NoNameError
        if isinstance(word.value, list) and not all(isinstance(name, str) for name in word.value):
            raise NotPlainError(word)
        if word.sign == "+":
            self.added.append(Default(word.value, word.key, word.package))
        else:
            self.wanted[word.key if word.package is None else f"{word.key}@{word.package}"] = word.value

    def parts(self) -> list[tuple[str, str]]:
        """Each YAML file of the configuration, in order, with the place of its content."""
        told = dict(self.wanted)
        found = self.walk(self.sources.primary, "", None, "", self.added)
        for key in self.wanted.keys() - self.used:
            group = key.split("@")[0]
            if key not in told or group in {one.split("@")[0] for one in self.known}:
                raise NotPlainError(key)
            raise UnknownGroupError(key)
        return found

    def walk(
        self, path: str, above: str, said: str | None, group: str, added: Sequence[Default] = ()
    ) -> list[tuple[str, str]]:
        """The files of one and of all in its defaults list.

        Args:
            path: of the file.
            above: place of the file in whose list it stands.
            said: the place that the list names.
            group: the place where none is named.
            added: to the list, by the command line.
        """
        source = self.sources.read(path)
        if source is None:
            parts = path.split("/")
            raise UnknownChoiceError(parts[0], parts[-1], self.sources.choices(parts[0]))
        place = joined(above, source.header if said is None else said, group)
        entries = [*source.defaults, *added]
        for number, entry in enumerate(source.defaults):
            if entry.override:
                self.wanted.setdefault(key_of(entry, place), entry.value)
            elif entry.value != SELF and any(one.override for one in source.defaults[:number]):
                raise NotPlainError(path)
        found: list[tuple[str, str]] = []
        for entry in reversed(entries):
            if not entry.override:
                found = [*self.entry(entry, path, place), *found]
        return found

    def entry(self, entry: Default, path: str, place: str) -> list[tuple[str, str]]:
        if entry.group is None:
            neighbour = f"{path.rpartition('/')[0]}/{entry.value}"
            return [(path, place)] if entry.value == SELF else self.walk(neighbour, place, None, "")
        key = key_of(entry, place)
        value = self.wanted.get(key, entry.value)
        self.used.add(key)
        if value == MISSING:
            raise NoChoiceError(entry.group, self.sources.choices(entry.group))
        if isinstance(value, list):
            each = [self.walk(f"{entry.group}/{name}", place, entry.package, entry.group) for name in reversed(value)]
            return [part for parts in reversed(each) for part in parts]
        if key in self.known:
            raise NotPlainError(key)
        self.known[key] = value
        return self.walk(f"{entry.group}/{value}", place, entry.package, entry.group)


def joined(above: str, said: str | None, group: str) -> str:
    """A place inside another, unless it begins anew at `_global_`."""
    whole = ".".join(part for part in (above, group if said is None else said) if part)
    return whole.rpartition("_global_")[2].lstrip(".")


def key_of(entry: Default, place: str) -> str:
    """What the command line calls the choice: its group and, where it stands elsewhere, that place."""
    assert entry.group is not None
    own = joined(place, entry.package, entry.group)
    return entry.group if own == entry.group else f"{entry.group}@{own or '_global_'}"
