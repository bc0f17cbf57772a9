"""The address of a run: the name of its folder, derived from the configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iamm.errors import ConfigError
from iamm.files import encoded, shortened

PLACES = (
    *("output_dir", "data_dir", "device", "devices", "threads", "mode", "run", "rerun"),
    *("log", "sweep", "checkpoint", "nonfinite"),
)
"""Keys that do not change the computed values; a run's address leaves them out."""

MIGRATION = ("target", "shots", "draw", "transfer")
"""Keys that change nothing in a run without a target."""

LATER = ("background", "catalogue", "fold", "left_out", "one_genre", "padding", "ratings", "synonyms", "values")
"""Arguments, null by default, that variants got after runs had been made without them."""

SWITCHES = {"attack": ("pictures", "embeddings"), "distill": ("from",)}
"""Keys of options → those among them, without any of which the others change nothing."""

BUDGET = (
    *("seed", "epochs", "steps", "batch_size", "accumulate", "patience"),
    *("growth", "growth_every", "growth_patience"),
)
"""Keys of the training length and the batches."""


def address(config: Mapping[str, Any], names: Sequence[str]) -> str:
    """A readable name and the digest of a configuration.

    Args:
        config: resolved, plain containers.
        names: the readable part, such as model and data sets; a result that is read may hold any.

    Raises:
        ConfigError: the name is that of no folder.
    """
    name = "-".join(names)
    if "/" in name or "\0" in name or name.startswith("."):
        raise ConfigError(f"A run's name is one of a folder. Found {name!r}: name its data sets by plain words.")
    return f"{shortened(name, 246)}-{digest(config)}"


def digest(config: Mapping[str, Any]) -> str:
    """8 hex digits of SHA-256 over the configuration without `PLACES` and keys that are null.

    So a release with a new key that is null by default, or a new argument in `LATER`, gives each run its old address.
    `from` and `distill.from` are replaced by the addresses of their runs.

    Raises:
        ConfigError: a number is not finite.
    """
    content = {key: value for key, value in drop_null(drop_keys(config, PLACES)).items() if value is not None}
    if "target" not in content:
        content = {key: value for key, value in content.items() if key not in MIGRATION}
    if config.get("from"):
        content["from"] = Path(config["from"]).name
    for key, switches in SWITCHES.items():
        if all(content.get(key, {}).get(switch) is None for switch in switches):
            content.pop(key, None)
    if "distill" in content:
        content["distill"] |= {"from": Path(content["distill"]["from"]).name}
    try:
        text = json.dumps(content, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ConfigError(f"The numbers of a configuration are finite. {error}: write another, or null.") from error
    return hashlib.sha256(encoded(text)).hexdigest()[:8]


def drop_keys(value: Any, keys: Sequence[str]) -> Any:
    """A copy of nested containers without the given keys, at any depth."""
    if isinstance(value, dict):
        return {key: drop_keys(part, keys) for key, part in value.items() if key not in keys}
    if isinstance(value, list):
        return [drop_keys(part, keys) for part in value]
    return value


def drop_null(value: Any) -> Any:
    """A copy of nested containers without the arguments in `LATER` that are null, at any depth."""
    if isinstance(value, dict):
        return {key: drop_null(part) for key, part in value.items() if part is not None or key not in LATER}
    return [drop_null(part) for part in value] if isinstance(value, list) else value
