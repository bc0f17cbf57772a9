"""Mistakes on the command line of `iamm-table`: what a library says of them → one line."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from iamm.config.check.run_keys import RUN, leaves
from iamm.config.check.table import BUDGET, KEYS, require
from iamm.config.check.values import check_device
from iamm.config.groups import configs_folder, dotted_keys
from iamm.config.mistakes import Rule, available, refused_key, unlike_any
from iamm.constraints import Switch
from iamm.errors import ConfigError


def option_keys() -> list[str]:
    """Those of the command but for the table's own."""
    return sorted(dotted_keys(configs_folder() / "table.yaml"))


def known_keys() -> list[str]:
    return [*option_keys(), "table", *(f"table.{key}" for key in KEYS), *(f"table.budget.{key}" for key in BUDGET)]


def refuse_sweeps(said: Namespace) -> None:
    """One table a call.

    Args:
        said: the command line, as Hydra reads it.
    """
    if said.multirun or any(word.startswith("hydra.mode=") for word in said.overrides):
        raise ConfigError("`iamm-table` runs its runs side by side by itself. Found -m: leave it out.")


def check_options(options: Mapping[str, Any]) -> None:
    """The keys of `iamm-table` but for what is in the table.

    Raises:
        ConfigError: the first that is not as it must be.
    """
    found = {path for path, *_ in leaves(options) if not path.startswith("table.")}
    for key in sorted({*option_keys(), "table"} - {*found, *options}):
        raise ConfigError(f"`iamm-table` needs every key. Found no {key}: leave out what removes it.")
    for key in sorted(found - {*option_keys(), "table"}):
        raise ConfigError(unknown(key))
    for key in ("run", "list", "costs"):
        require(key, options[key], Switch())
    require("sweep.jobs", options["sweep"]["jobs"], RUN["sweep.jobs"])
    require("sweep.silence", options["sweep"]["silence"], RUN["sweep.silence"])
    check_device(options["device"])


def name_of(choice: str | None) -> str:
    """The table's; Hydra tells no name of several."""
    if choice is None:
        raise ConfigError("`table` must name one table. Found a list: call iamm-table once for each.")
    return choice


def no_table(text: str) -> str | None:
    if "You must specify 'table'" not in text:
        return None
    return f"`iamm-table` builds one table. Found none: add table=…. Choices: {', '.join(available(text))}."


def several_values(text: str) -> str | None:
    found = re.search(r"Ambiguous value for argument '(.+?)'\n", text)
    return found and f"A key takes one value. Found {found[1]}: call iamm-table for each, or write [a,b] for a list."


def unknown_key(text: str) -> str | None:
    key = refused_key(text)
    return key and unknown(key)


def unknown(key: str) -> str:
    """The nearest right key; for one that only this table lacks, how to add it."""
    if key.startswith("table.") and key.split(".")[1] in KEYS:
        return f"This table must have a key to be overridden. Found {key}=…: write +{key}=… to add it."
    return unlike_any(key, known_keys(), "iamm-table")


EXPLAINED: tuple[Rule, ...] = (no_table, several_values, unknown_key)
