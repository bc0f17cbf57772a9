"""The YAML files that a configuration is composed of: where they lie, and what stands in each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from iamm.config.groups import configs_folder
from iamm.config.hydra_compat import yaml_loader
from iamm.config.overrides import NotPlainError

SELF, MISSING = "_self_", "???"
ENTRY = re.compile(r"(override )?(/?)(\w+)(?:@([\w.]+))?", re.ASCII)
PLAIN = (str, bool, int, float, type(None))


@dataclass(frozen=True)
class Default:
    """An entry of a defaults list: the file's own content (`_self_`), a neighbour by its name, or a group's choice.

    Args:
        value: the choice or choices; of an entry without a group, the name.
        group: none for `_self_` and a neighbour.
        package: where the choice shall stand, behind `@`.
        override: sets the choice of an entry that stands elsewhere.
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
    """The project's YAML files and, behind them, those of a folder of the user's.

    Args:
        folder: of the user's.
        primary: the file that a configuration begins with, `train` or `table`.
    """

    def __init__(self, folder: str | None = None, primary: str = "train") -> None:
        self.folder, self.primary = folder, primary
        self.roots = [configs_folder(), *([Path(folder).absolute()] if folder is not None else [])]
        if not all(root.is_dir() for root in self.roots):
            raise NotPlainError(folder)
        self.found: dict[str, Source | None] = {}
        self.groups: dict[str, bool] = {}

    def is_group(self, name: str) -> bool:
        if name not in self.groups:
            self.groups[name] = any((root / name).is_dir() for root in self.roots)
        return self.groups[name]

    def choices(self, group: str) -> list[str]:
        return sorted({file.stem for root in self.roots for file in (root / group).glob("*.yaml")})

    def read(self, path: str) -> Source | None:
        """What stands in the file; None where there is none.

        Raises:
            NotPlainError: it needs Hydra, be it to say what is wrong with it.
        """
        if path not in self.found:
            file = next((file for root in self.roots if (file := root / f"{path}.yaml").is_file()), None)
            self.found[path] = source(file, path, path == self.primary) if file else None
        return self.found[path]


def source(file: Path, path: str, primary: bool) -> Source:
    content = yaml_content(file)
    entries = content.pop("defaults", [])
    if primary:
        content.pop("hydra", None)
        entries = [entry for entry in entries if not str(entry).startswith("{'override hydra/")]
    if not isinstance(entries, list):
        raise NotPlainError(path)
    defaults = tuple(default(entry, primary) for entry in entries)
    own = () if any(one.value == SELF for one in defaults) else (Default(SELF),)
    return Source((*defaults, *own), header(file.read_text(encoding="utf-8")), content)


def yaml_content(file: Path) -> dict[str, Any]:
    import yaml

    with file.open(encoding="utf-8") as stream:
        found = yaml.load(stream, loader())
    if found is None:
        return {}
    if not isinstance(found, dict) or not plain(found):
        raise NotPlainError("no mapping of plain values")
    return found


@cache
def loader() -> Any:
    """OmegaConf's, which tells numbers from words as all else here does; with a parser in C where there is one."""
    import yaml

    own = yaml_loader()
    if not yaml.__with_libyaml__:
        return own
    from yaml.cyaml import CParser

    def begin(self: Any, stream: Any) -> None:
        CParser.__init__(self, stream)
        yaml.constructor.SafeConstructor.__init__(self)
        yaml.resolver.Resolver.__init__(self)

    return type("Loader", (CParser, own), {"__init__": begin})


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and plain(part) for key, part in value.items())
    return all(map(plain, value)) if isinstance(value, list) else type(value) in PLAIN


def header(text: str) -> str | None:
    """The package that the comments at the file's head name."""
    for line in map(str.strip, text[:512].splitlines()):
        if line and not re.match(r"#\s*@", line):
            return None
        if found := re.fullmatch(r"#+\s*@package\s+(\S+)", line):
            return found[1] if found[1].startswith("_global_") else f"_global_.{found[1]}"
        if line:
            raise NotPlainError(line)
    return None


def default(entry: Any, primary: bool) -> Default:
    """An entry of a defaults list, the primary file's or another's."""
    if isinstance(entry, str) and re.fullmatch(r"\w+", entry):
        return Default(entry)
    if not isinstance(entry, dict) or len(entry) != 1:
        raise NotPlainError(entry)
    ((key, value),) = entry.items()
    found = ENTRY.fullmatch(key)
    names = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(name, str) and re.fullmatch(r"[\w-]+|\?{3}", name) for name in names):
        raise NotPlainError(entry)
    if (not found[2] and not primary) or "_group_" in key or found[3] == "hydra":
        raise NotPlainError(entry)
    return Default(value, found[3], "" if found[4] == "_here_" else found[4], bool(found[1]))
