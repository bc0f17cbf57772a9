"""`iamm-train --help`: every group with a line on each choice, read from the YAML files themselves."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
IN_PROJECT = Path(__file__).resolve().parents[2] / "configs"

HEADER = """iamm-train: train and evaluate attention, sharing and loss weighting across scenes

  iamm-train +experiment=multiscene                 a preset
  iamm-train dataset=[digits,shapes] model=iamm     scenes side by side
  iamm-train attention=additive attention.dropout=0.1 epochs=5 seed=1
  iamm-train -m fusion=none,shared,interest_guidance seed=0,1,2
  iamm-train mode=eval run=outputs/<run folder>     evaluate a finished run again
  iamm-train +experiment=multiscene --cfg job       the composed configuration
"""


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


def known_keys() -> list[str]:
    """Every key that a YAML of the project sets, with the group it stands in."""
    keys = top_keys(configs_folder() / "train.yaml")
    for group in groups():
        for choice in choices(group):
            keys |= {f"{group}.{key}" for key in top_keys(configs_folder() / group / f"{choice}.yaml")}
    return sorted(keys | set(groups()))


def top_keys(file: Path) -> set[str]:
    """Keys at any depth, as a dotted path; read without a YAML library, since the project's own files are plain."""
    keys: set[str] = set()
    path: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        found = re.match(r"( *)([A-Za-z_]\w*):", line)
        if found and found[2] not in ("defaults", "hydra", "_target_", "_partial_"):
            depth = len(found[1]) // 2
            path = [*path[:depth], found[2]]
            keys.add(".".join(path))
    return keys


def help_text() -> str:
    parts = [HEADER]
    for group in groups():
        parts.append(f"{group}=" if group != "experiment" else "+experiment=")
        width = max(len(choice) for choice in choices(group))
        parts += [
            f"  {choice:<{width}}  {headline(configs_folder() / group / f'{choice}.yaml')}" for choice in choices(group)
        ]
        parts.append("")
    parts.append("Keys (see --cfg job for all, with their values):")
    parts += [f"  {line}" for line in described_keys()]
    return "\n".join(parts)


def described_keys() -> list[str]:
    """The keys of train.yaml with the comment behind each."""
    lines = (configs_folder() / "train.yaml").read_text(encoding="utf-8").splitlines()
    found = [re.match(r"(\w+): ([^#]*)# (.*)", line) for line in lines]
    return [f"{m[1] + '=' + m[2].strip():<28}{m[3]}" for m in found if m]
