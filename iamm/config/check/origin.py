"""After a mistake, this file finds where a value comes from: the command line, or a YAML file and its line."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from iamm.config.command_line import keys
from iamm.config.composer import Composer
from iamm.config.groups import config_dirs, groups, shown
from iamm.config.overrides import NotPlainError
from iamm.config.sources import Sources
from iamm.errors import ConfigError

COMMAND = "the command line"


def origins(paths: Sequence[str], overrides: Sequence[str], source: str = COMMAND) -> str:
    """Give, for example, ` From: dim, the command line; attention.heads, configs/attention/multi_head.yaml, line 11.`

    Args:
        paths: dotted paths of values.
        overrides: which their configuration was composed of.
        source: of the overrides.
    """
    given, files = keys(overrides), files_of(overrides)
    places = {path: origin(path, given, files, source) for path in paths}
    listed = "; ".join(f"{path}, {place}" for path, place in places.items() if place)
    return f" From: {listed}." if listed else ""


def origin(path: str, given: Collection[str], files: Sequence[tuple[Path, str]], source: str) -> str | None:
    """Give the origin of a value, or of what it lies in where neither overrides nor files have it by itself.

    Args:
        path: dotted.
        given: keys and groups that overrides set.
        files: of the configuration, as `files_of` gives them.
        source: of the overrides.

    Returns:
        the source, or a file and its line; None where there is no origin.
    """
    choices = {key for key in given if key.split("@")[0] in groups()}
    places = {key.split("@")[-1] for key in choices}
    while path:
        if path in places or any(f"{path}.".startswith(f"{key}.") for key in {*given} - choices):
            return source
        for file, place in files:
            key = f".{path}".removeprefix(f".{place}" if place else "")
            if key.startswith(".") and (line := line_of(file, key[1:]) or choice_line(file, key[1:])):
                return f"{shown(file)}, line {line}"
        path = path.rpartition(".")[0]
    return None


def files_of(overrides: Sequence[str]) -> list[tuple[Path, str]]:
    """Give each YAML file of a configuration with the place of its content, the last first; none of what only Hydra
    composes."""
    try:
        sources = Sources(next(map(str, config_dirs()), None))
        files = Composer(sources).files(overrides)
    except (ConfigError, NotPlainError):
        return []
    return [(file, place) for path, place in reversed(files) if (file := sources.file(path))]


def line_of(file: Path, key: str) -> int | None:
    """Give the line, counted from 1, on which a YAML file sets a dotted key."""
    import yaml

    try:
        node: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    line = None
    for part in key.split("."):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        matching = [pair for pair in pairs if pair[0].value == part]
        if not matching:
            return None
        line, node = matching[-1][0].start_mark.line + 1, matching[-1][1]
    return line


def choice_line(file: Path, place: str) -> int | None:
    """Give the line on which the defaults list of a file chooses what stands at a place."""
    entry = re.compile(rf"\s*- (override )?/?(\w+@)?{re.escape(place)}\s*:")
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if entry.match(line)), None)
