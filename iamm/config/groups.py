"""The groups of choices that there are, read from the YAML files themselves without a YAML library."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
IN_PROJECT = Path(__file__).resolve().parents[2] / "configs"


def configs_folder() -> Path:
    """Where the YAML files lie: beside the package in a checkout, inside it when installed."""
    return CONFIGS if CONFIGS.is_dir() else IN_PROJECT


@cache
def groups() -> tuple[str, ...]:
    return tuple(sorted(folder.name for folder in configs_folder().iterdir() if any(folder.glob("*.yaml"))))


def choices(group: str) -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in (configs_folder() / group).glob("*.yaml")))


def headline(file: Path) -> str:
    """A YAML's first comment that is no directive."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") and "@package" not in line:
            return line.lstrip("# ")
    return ""


def is_preset(group: str) -> bool:
    """True for a group whose choices set keys of the whole configuration and have no keys of their own."""
    files = (configs_folder() / group).glob("*.yaml")
    return any(file.read_text(encoding="utf-8").startswith("# @package _global_") for file in files)


@cache
def slots() -> tuple[tuple[str, str], ...]:
    """Each group of the defaults list that has keys of its own, with the place where its choice stands."""
    text = (configs_folder() / "train.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^  - (\w+)(?:@([\w.]+))?: ", text, flags=re.MULTILINE)
    return tuple((group, place or group) for group, place in entries if not is_preset(group))


def owners() -> dict[str, set[str]]:
    """Every key of a choice, where it stands, and by which override it gets there: attention.heads, by multi_head."""
    found: dict[str, set[str]] = {}
    for group, place in slots():
        taken = group if group == place else f"{group}@{place}"
        for choice in choices(group):
            for key in keys_of(group, choice):
                found.setdefault(f"{place}.{key}", set()).add(f"{taken}={choice}")
    return found


@cache
def keys_of(group: str, choice: str) -> frozenset[str]:
    """Every key of a choice, those of the parts that it is composed of among them: score.hidden of additive."""
    file = configs_folder() / group / f"{choice}.yaml"
    parts = re.findall(r"^  - /(\w+)@([\w.]+): (\w+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    inner = {f"{place}.{key}" for part, place, name in parts for key in keys_of(part, name)}
    return frozenset(dotted_keys(file) | inner)


@cache
def known_keys() -> tuple[str, ...]:
    """Every key that an override may name."""
    places = {place for _, place in slots()}
    return tuple(sorted({*dotted_keys(configs_folder() / "train.yaml"), *owners(), *places, *groups()}))


def dotted_keys(file: Path) -> set[str]:
    """Keys at any depth, as dotted paths below their group; read without a YAML library, since the project's own files
    are plain."""
    text = file.read_text(encoding="utf-8")
    place = place_in_group(text)
    keys: set[str] = set()
    path: list[str] = []
    for line in text.splitlines():
        found = re.match(r"( *)(\w+):", line)
        if found:
            path = [*path[: len(found[1]) // 2], found[2]]
            if path[0] not in ("defaults", "hydra") and not path[-1].startswith("_"):
                keys.add(".".join([*place, *path]))
    return keys


def place_in_group(text: str) -> list[str]:
    """Where below its group a file's keys stand: `# @package dataset.text_file` names text_file."""
    found = re.match(r"# @package (?!_)\w+\.(\w+)$", text, flags=re.MULTILINE)
    return [found[1]] if found else []


@cache
def overrides_of(model: str) -> tuple[tuple[str, str], ...]:
    """Each group whose choice a model of the project's sets, with that choice."""
    file = configs_folder() / "model" / f"{model}.yaml"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return tuple(re.findall(r"^  - override /(\S+): (\w+)$", text, flags=re.MULTILINE))


def heading(group: str) -> str:
    """How a choice of the group is made."""
    if group == "experiment":
        return "+experiment="
    if group == "table":
        return "iamm-table table="
    return f"{group}=" if is_preset(group) or group in dict(slots()) else f"{group}@attention.{group}="
