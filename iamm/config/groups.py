"""The groups of choices and their keys are read here from the YAML files themselves, without a YAML library."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
IN_PROJECT = Path(__file__).resolve().parents[2] / "configs"


def configs_folder() -> Path:
    """Give the folder of the YAML files: beside the package in a checkout, inside it when installed."""
    return CONFIGS if CONFIGS.is_dir() else IN_PROJECT


def config_dirs() -> Iterator[Path]:
    """Yield the folders of YAML files that the command line names."""
    for word, after in pairwise([*sys.argv[1:], ""]):
        option = re.fullmatch(r"(?:--config-dir|-cd)(?:=(.*))?", word)
        if option:
            yield Path(after if option[1] is None else option[1])


def shown(file: Path) -> str:
    """Give a short path: of a file of the project from `configs` on, of another one from the working directory."""
    root = configs_folder()
    if root in file.parents:
        return f"configs/{file.relative_to(root).as_posix()}"
    return os.path.relpath(file)


@cache
def groups() -> tuple[str, ...]:
    return tuple(sorted(folder.name for folder in configs_folder().iterdir() if any(folder.glob("*.yaml"))))


def choices(group: str) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in (configs_folder() / group).glob("*.yaml")))


def headline(file: Path) -> str:
    """Give a YAML's first comment that is no directive."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and "@package" not in line:
            return line.lstrip("# ")
    return ""


def is_preset(group: str) -> bool:
    """Tell whether the choices of a group set keys of the whole configuration, and have no keys of their own."""
    files = (configs_folder() / group).glob("*.yaml")
    return any(file.read_text(encoding="utf-8").startswith("# @package _global_") for file in files)


@cache
def slots() -> tuple[tuple[str, str], ...]:
    """Give each group of the defaults list that has keys of its own, with the place of its choice."""
    text = (configs_folder() / "train.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^  - (\w+)(?:@([\w.]+))?: ", text, flags=re.MULTILINE)
    return tuple((group, place or group) for group, place in entries if not is_preset(group))


@cache
def owners() -> dict[str, set[str]]:
    """Map every key of a choice, at its place, to the overrides that bring it there: attention.heads to multi_head."""
    overrides: dict[str, set[str]] = {}
    for group, place in slots():
        name = group if group == place else f"{group}@{place}"
        for choice in choices(group):
            for key in keys_of(group, choice):
                overrides.setdefault(f"{place}.{key}", set()).add(f"{name}={choice}")
    return overrides


@cache
def keys_of(group: str, choice: str) -> frozenset[str]:
    """Give every key of a choice, those of its parts among them: score.hidden of additive."""
    file = configs_folder() / group / f"{choice}.yaml"
    parts = re.findall(r"^  - /(\w+)@([\w.]+): (\w+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    inner = {f"{place}.{key}" for part, place, name in parts for key in keys_of(part, name)}
    return frozenset(dotted_keys(file) | inner)


@cache
def known_keys() -> tuple[str, ...]:
    """Give every key that an override may name."""
    places = {place for _, place in slots()}
    return tuple(sorted({*dotted_keys(configs_folder() / "train.yaml"), *owners(), *places, *groups()}))


def dotted_keys(file: Path) -> set[str]:
    """Give the keys of one of the project's plain YAML files, at any depth, as dotted paths below their group."""
    text = file.read_text(encoding="utf-8")
    package = re.match(r"# @package (?!_)\w+\.(\w+)$", text, flags=re.MULTILINE)  # dataset.text_file
    keys: set[str] = set()
    path: list[str] = []
    for line in text.splitlines():
        key = re.match(r"( *)(\w+):", line)
        if key:
            path = [*path[: len(key[1]) // 2], key[2]]
            if path[0] not in ("defaults", "hydra") and not path[-1].startswith("_"):
                keys.add(".".join([*([package[1]] if package else []), *path]))
    return keys


@cache
def overrides_of(model: str) -> tuple[tuple[str, str], ...]:
    """Give each group whose choice one of the project's models sets, with that choice."""
    file = configs_folder() / "model" / f"{model}.yaml"
    text = file.read_text(encoding="utf-8") if os.path.isfile(file) else ""
    return tuple(re.findall(r"^  - override /(\S+): (\w+)$", text, flags=re.MULTILINE))


def heading(group: str) -> str:
    """Give the override that makes a choice of the group, up to the choice itself."""
    if group == "experiment":
        return "+experiment="
    if group == "table":
        return "iamm-table table="
    return f"{group}=" if is_preset(group) or group in dict(slots()) else f"{group}@attention.{group}="
