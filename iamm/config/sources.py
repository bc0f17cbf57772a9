"""The YAML files that a configuration is composed of are found and read here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from iamm.config.groups import configs_folder
from iamm.config.overrides import NotPlainError

SELF, MISSING = "_self_", "???"
ENTRY = re.compile(r"(override )?(/?)(\w+)(?:@([\w.]+))?", re.ASCII)
PLAIN = (str, bool, int, float, type(None))


@dataclass(frozen=True)
class Default:
    """An entry of a defaults list: the file's own content (`_self_`), a neighbour by its name, or a group's choice.

    Args:
        value: the choice or choices; of an entry without a group, the name.
        group: None for `_self_` and a neighbour.
        package: the place of the choice, behind `@`.
        override: whether it sets the choice of another entry.
    """

    value: str | list[str]
    group: str | None = None
    package: str | None = None
    override: bool = False


@dataclass(frozen=True)
class Source:
    """A YAML file: its defaults list, the package of its header (with `_global_`), and its content."""

    defaults: tuple[Default, ...]
    header: str | None
    content: Mapping[str, Any]


class Sources:
    """The project's YAML files and, after them, those of a folder of the user's.

    Args:
        folder: of the user's.
        primary: the file that a configuration begins with, `train` or `table`.
    """

    def __init__(self, folder: str | None = None, primary: str = "train") -> None:
        self.folder, self.primary = folder, primary
        self.roots = [configs_folder(), *([Path(folder).absolute()] if folder is not None else [])]
        if not all(map(os.path.isdir, self.roots)):
            raise NotPlainError(folder)
        self.sources: dict[str, Source | None] = {}

    def is_group(self, name: str) -> bool:
        return any(os.path.isdir(root / name) for root in self.roots)

    def choices(self, group: str) -> list[str]:
        return sorted({file.stem for root in self.roots for file in (root / group).glob("*.yaml")})

    def file(self, path: str) -> Path | None:
        """Find a YAML file, named by its path without the suffix: `attention/additive`.

        A name that is longer than the file system takes is that of no file (`Path.is_file` would raise).
        """
        return next((file for root in self.roots if os.path.isfile(file := root / f"{path}.yaml")), None)

    def read(self, path: str) -> Source | None:
        """Read a file; None where there is none.

        Raises:
            NotPlainError: only Hydra can read it, or say what is wrong with it.
        """
        if path not in self.sources:
            file = self.file(path)
            self.sources[path] = read(file, file.stat().st_mtime_ns, primary=path == self.primary) if file else None
        return self.sources[path]

    def content(self, path: str) -> Mapping[str, Any]:
        """Give the content of a file without its defaults list; empty where there is none."""
        source = self.read(path)
        return source.content if source else {}


@cache
def read(file: Path, modified: int, *, primary: bool) -> Source:
    """Read a YAML file, once for each time at which it was modified."""
    from omegaconf import OmegaConf

    content: Any = OmegaConf.to_container(OmegaConf.load(file))
    if not isinstance(content, dict) or not is_plain(content):
        raise NotPlainError(file)
    entries = content.pop("defaults", [])
    if primary:
        content.pop("hydra", None)
        entries = [entry for entry in entries if not str(entry).startswith("{'override hydra/")]
    if not isinstance(entries, list):
        raise NotPlainError(file)
    defaults = [default(entry, primary) for entry in entries]
    if not any(entry.value == SELF for entry in defaults):
        defaults.append(Default(SELF))
    return Source(tuple(defaults), header(file.read_text(encoding="utf-8")), content)


def is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_plain(part) for key, part in value.items())
    return all(map(is_plain, value)) if isinstance(value, list) else type(value) in PLAIN


def header(text: str) -> str | None:
    """Give the package that the comments at the file's head name."""
    for line in map(str.strip, text[:512].splitlines()):
        if line and not re.match(r"#\s*@", line):
            return None
        if package := re.fullmatch(r"#+\s*@package\s+(\S+)", line):
            return package[1] if package[1].startswith("_global_") else f"_global_.{package[1]}"
        if line:
            raise NotPlainError(line)
    return None


def default(entry: Any, primary: bool) -> Default:
    """Read an entry of a defaults list, of the primary file or another."""
    if isinstance(entry, str) and re.fullmatch(r"\w+", entry):
        return Default(entry)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise NotPlainError(entry)
    ((key, value),) = entry.items()
    parts = ENTRY.fullmatch(key)
    names = value if isinstance(value, list) else [value]
    if not parts or not all(isinstance(name, str) and re.fullmatch(r"[\w-]+|\?{3}", name) for name in names):
        raise NotPlainError(entry)
    if (not parts[2] and not primary) or "_group_" in key or parts[3] == "hydra":
        raise NotPlainError(entry)
    return Default(value, parts[3], "" if parts[4] == "_here_" else parts[4], bool(parts[1]))
