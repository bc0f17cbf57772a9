"""Where a value of a configuration comes from: the command line, or a file and its line; asked after a mistake only."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from iamm.config.groups import configs_folder, groups, place_in_group

COMMAND = "the command line"
LATE = ("experiment", "model")
"""Groups whose choices set keys of the whole configuration, the last word first."""
NAMED = ("dataset", "augment")
"""Groups each of whose choices stands under its own name."""


def origins(keys: Sequence[str], given: Collection[str], taken: Mapping[str, Any], said: str = COMMAND) -> str:
    """`From: dim, the command line; attention.heads, configs/attention/multi_head.yaml, line 11.`

    Args:
        keys: dotted paths.
        given: keys and groups that overrides set.
        taken: group, or group@place → what was chosen there.
        said: where these overrides stand.
    """
    found = {key: origin(key, given, taken, said) for key in keys}
    told = "; ".join(f"{key}, {place}" for key, place in found.items() if place)
    return f" From: {told}." if told else ""


def origin(key: str, given: Collection[str], taken: Mapping[str, Any], said: str) -> str | None:
    """Of a key, or of what it lies in where no place has it by itself."""
    chosen = {one for one in given if one.split("@")[0] in groups()}
    while key:
        if any(f"{key}.".startswith(f"{one}.") for one in {*given} - chosen):
            return said
        if any(one.split("@")[-1] == key for one in chosen):
            return said
        for file, inside in files(key, taken):
            if line := line_of(file, inside) or choice_line(file, key):
                return f"{shown(file)}, line {line}"
        key = key.rpartition(".")[0]
    return None


def files(key: str, taken: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Each YAML file that may set the key, the one whose word counts first, and the key as it would stand there."""
    for group in LATE:
        yield from ((file, key) for file in files_of(group, taken.get(group)))
    room, _, rest = key.partition(".")
    if room in NAMED and rest:
        yield from ((file, inside_of(file, rest)) for file in files_of(room, rest.split(".")[0]))
    places = {name.split("@")[-1]: (name.split("@")[0], choice) for name, choice in taken.items() if name not in LATE}
    for place in sorted(places, key=len, reverse=True):
        if key.startswith(f"{place}."):
            yield from ((file, key.removeprefix(f"{place}.")) for file in files_of(*places[place]))
    yield configs_folder() / "train.yaml", key


def inside_of(file: Path, key: str) -> str:
    """A key below a group as it would stand in the file."""
    place = place_in_group(file.read_text(encoding="utf-8"))
    return key.removeprefix("".join(f"{part}." for part in place))


def files_of(group: str, choice: Any) -> Iterator[Path]:
    """A choice's file: the project's or, failing that, the user's; several for a list of choices."""
    for name in choice if isinstance(choice, (list, tuple)) else [choice]:
        paths = (root / group / f"{name}.yaml" for root in (configs_folder(), *config_dirs()))
        yield from list(filter(Path.is_file, paths))[:1]


def config_dirs() -> Iterator[Path]:
    """The folder of YAML files that the command line names."""
    for word, after in pairwise([*sys.argv[1:], ""]):
        found = re.fullmatch(r"(?:--config-dir|-cd)(?:=(.*))?", word)
        if found:
            yield Path(after if found[1] is None else found[1])


def line_of(file: Path, key: str) -> int | None:
    """The line, counted from 1, on which a YAML file sets a dotted key."""
    import yaml

    try:
        node: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    line = None
    for part in key.split("."):
        pairs = getattr(node, "value", None) if isinstance(node, yaml.MappingNode) else None
        chosen = [pair for pair in pairs or () if pair[0].value == part]
        if not chosen:
            return None
        line, node = chosen[-1][0].start_mark.line + 1, chosen[-1][1]
    return line


def choice_line(file: Path, place: str) -> int | None:
    """The line on which a file's defaults list chooses what stands at a place."""
    wanted = re.compile(rf"\s*- (override )?/?(\w+@)?{re.escape(place)}\s*:")
    lines = file.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, start=1) if wanted.match(line)), None)


def shown(file: Path) -> str:
    """As short as it can be told: a file of the project from `configs` on, another one from here."""
    root = configs_folder()
    if root in file.parents:
        return f"configs/{file.relative_to(root).as_posix()}"
    return os.path.relpath(file)
