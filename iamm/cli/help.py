"""`--help` of the commands: every group with a line on each choice, read from the YAML files themselves."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from iamm.config.groups import choices, config_dirs, configs_folder, groups, heading, headline
from iamm.errors import closest

HEADER = """iamm-train: train and evaluate models on several scenes at once

  iamm-train +experiment=multiscene                 a preset
  iamm-train 'dataset=[digits,shapes]' model=iamm   scenes side by side
  iamm-train attention=additive attention.dropout=0.1 epochs=5 seed=1
  iamm-train -m fusion=none,shared,interest_guidance seed=0,1,2
  iamm-train mode=eval run=outputs/<run folder>     evaluate a run again
  iamm-train +experiment=multiscene --cfg job       the composed configuration
  iamm-train +experiment=multiscene --summary       the parts of the model
  iamm-train --help attention                       a group, choice; keys, all

A scene is one source of data with one task. Quality is the measure by which
validation chooses the model of a run, the mean over scenes: accuracy, BLEU or
gAUC, unless head.….quality names another. Applied weights are the factors of
the scenes' losses in a step.
"""

DOCUMENTS = """
D0 to D4 are the source documents that this project follows; FAM is the fusion
attention model that D0 compares with: docs/documents.md says what they are."""

TABLE_HEADER = """iamm-table: run what a comparison table lacks, then build it

  iamm-table table=multiscene                       run what is missing, side by side, and build the table
  iamm-table table=multiscene list=true             which runs are there, and what the others will cost
  iamm-table table=multiscene run=false             build from what is there
  iamm-table table=image 'table.seeds=[0,1,2]'      another budget
  iamm-table --config-dir my_configs table=mine     your own table, my_configs/table/mine.yaml
  iamm-table table=image hydra/launcher=joblib      by another launcher of Hydra's
"""


def listed(group: str) -> list[str]:
    """A line for each choice, including those of `--config-dir`."""
    files = files_of(group)
    width = max(map(len, files))
    return [f"  {choice:<{width}}  {headline(files[choice])}" for choice in sorted(files)]


def files_of(group: str) -> dict[str, Path]:
    """The YAML of each choice, those of `--config-dir` included."""
    roots = (*config_dirs(), configs_folder())
    return {file.stem: file for root in roots for file in (root / group).glob("*.yaml")}


def help_text() -> str:
    """The overview; with `keys`, a group, a choice or `all` on the command line, what is behind these words."""
    folders = {str(folder) for folder in config_dirs()}
    words = [word.rstrip("=") for word in sys.argv[1:] if re.fullmatch(r"[\w.]+=?", word) and word not in folders]
    topics = [word if word in ("keys", "all") else word.split(".")[0] for word in words]
    shown = [group for group in groups() if {group, "all"} & {*topics}]
    parts = [] if topics else [HEADER, "Groups:", *map(counted, groups())]
    for group in shown:
        parts += [heading(group), *listed(group), ""]
    for choice in (topic for topic in topics if topic not in (*groups(), "keys", "all")):
        parts += described_choice(choice)
    if {"keys", "all"} & {*topics}:
        parts += ["Keys (see --cfg job for all, with their values):", *described_keys("train.yaml")]
    return explained("\n".join(parts))


def described_choice(choice: str) -> list[str]:
    """The YAML of a choice, in each group that has one of this name."""
    files = {group: files_of(group) for group in groups()}
    found = {group: each[choice] for group, each in files.items() if choice in each}
    if not found:
        near = closest(choice, sorted({*groups(), "keys", "all", *(name for each in files.values() for name in each)}))
        hint = f'Did you mean "{near}"?' if near else "Add --help alone for the groups."
        return [f"No group and no choice is called {choice}. {hint}"]
    return [f"{heading(group)}{choice}\n{file.read_text('utf-8').rstrip()}" for group, file in found.items()]


def explained(text: str) -> str:
    """The text, and what the names of documents in it stand for."""
    return f"{text.rstrip()}\n{DOCUMENTS}" if re.search(r"\bD[0-4]\b|\bFAM\b", text) else text


def counted(group: str) -> str:
    """A group with the number of its choices and as many of them as fit a line of 80."""
    line = f"  {heading(group):<30} {len(choices(group)):>3}: {', '.join(choices(group))}"
    return line if len(line) <= 79 else f"{line[:76].rpartition(',')[0]}, …"


def table_help_text() -> str:
    from iamm.config.check.table import KEYS, REQUIRED

    inside = [f"{'*' if key in REQUIRED else ' '} {key:<9} {rule.description()}" for key, rule in KEYS.items()]
    table_keys = ["A table's YAML holds (*: must; docs/tables.md shows one):", *inside]
    parts = [TABLE_HEADER, "table=", *listed("table"), "", "Keys:", *described_keys("table.yaml"), "", *table_keys]
    return explained("\n".join(parts))


def described_keys(name: str) -> list[str]:
    """The keys of a command's YAML, nested ones included, with the comment on each."""
    lines = (configs_folder() / name).read_text(encoding="utf-8").splitlines()
    described, outer = [], ""
    for match in filter(None, (re.match(r"(  )?(\w+):([^#]*)(?:# (.*))?", line) for line in lines)):
        inside, key, value, comment = match.groups()
        outer = outer if inside else key
        if comment:
            described.append(f"  {f'{outer}.' * bool(inside) + key + '=' + value.strip():<27} {comment}")
    return described
