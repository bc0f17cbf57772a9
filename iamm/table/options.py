"""The options of `iamm-table`: how they are composed and checked, and how their mistakes are worded."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from iamm.config.check.run_keys import RUN, leaves
from iamm.config.check.table import BUDGET, KEYS, require
from iamm.config.check.values import check_device
from iamm.config.command_line import plain_line
from iamm.config.compose import Composed, as_yaml, composed
from iamm.config.explain import explained
from iamm.config.groups import choices, configs_folder, dotted_keys
from iamm.config.hydra_compat import arguments
from iamm.config.mistakes import NoChoiceError, SeveralValuesError, UnknownKeyError, refuse_other_forms, unlike_any
from iamm.config.overrides import NotPlainError
from iamm.constraints import Switch
from iamm.errors import ConfigError


def option_keys() -> list[str]:
    """Return the keys of the command, without those inside the table."""
    return [*sorted(dotted_keys(configs_folder() / "table.yaml")), "table"]


def known_keys() -> list[str]:
    return [*option_keys(), *(f"table.{key}" for key in KEYS), *(f"table.budget.{key}" for key in BUDGET)]


def compose_options(words: Sequence[str]) -> Composed | None:
    """Compose the command's options; None where they were only to be shown."""
    refuse_other_forms(words, known_keys())
    for word in words:
        if word in choices("table"):
            raise ConfigError(f"A table is named by its key. Found {word}: write table={word}.")
    try:
        line = plain_line(words)
        refuse_sweeps(line.sweeping)
        if not line.shown:
            return composed(line, "table")[0]
        sys.stdout.write(as_yaml(line, "table"))
        return None
    except NotPlainError:
        from iamm.config import by_hydra

        parsed = arguments(words)
        refuse_sweeps(parsed.multirun or any(word.startswith("hydra.mode=") for word in parsed.overrides))
        return by_hydra.options(words)


def refuse_sweeps(sweeping: bool) -> None:
    if sweeping:
        raise ConfigError("`iamm-table` runs its runs side by side by itself. Found -m: leave it out.")


def config_dir(words: Sequence[str]) -> str | None:
    """Return the folder of the user's YAML files."""
    try:
        return plain_line(words).folder
    except NotPlainError:
        return arguments(words).config_dir


def check_options(options: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """Check the keys of `iamm-table`, but not those inside the table.

    Args:
        options: composed.
        chosen: the choice of each group; Hydra gives no name of several.

    Raises:
        ConfigError: the first value that is wrong.
    """
    given = {path for path, *_ in leaves(options) if not path.startswith("table.")}
    for key in sorted({*option_keys()} - {*given, *options}):
        raise ConfigError(f"`iamm-table` needs every key. Found no {key}: leave out what removes it.")
    for key in sorted(given - {*option_keys()}):
        raise ConfigError(unknown(key))
    for key in ("run", "list", "rerun", "costs"):
        require(key, options[key], Switch())
    require("sweep.jobs", options["sweep"]["jobs"], RUN["sweep.jobs"])
    require("sweep.silence", options["sweep"]["silence"], RUN["sweep.silence"])
    check_device(options["device"])
    if chosen.get("table") is None:
        raise ConfigError("`table` must name one table. Found a list: call iamm-table once for each.")


@contextmanager
def explained_for_tables() -> Iterator[None]:
    """Word mistakes as `explained` does, but for those that `iamm-table` words otherwise."""
    try:
        with explained():
            yield
    except NoChoiceError as error:
        raise ConfigError(
            f"`iamm-table` builds one table. Found none: add table=…. Choices: {', '.join(error.known)}."
        ) from error
    except SeveralValuesError as error:
        raise ConfigError(
            f"A key takes one value. Found {error.word}: call iamm-table for each, or write [a,b] for a list."
        ) from error
    except UnknownKeyError as error:
        raise ConfigError(unknown(error.key)) from error


def unknown(key: str) -> str:
    """Name the nearest right key; or how to add one that only this table lacks."""
    if key.startswith("table.") and key.split(".")[1] in KEYS:
        return f"This table must have a key to be overridden. Found {key}=…: write +{key}=… to add it."
    return unlike_any(key, known_keys(), "iamm-table")
