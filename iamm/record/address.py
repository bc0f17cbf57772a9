"""The address of a run: the name of its folder, from what its configuration computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iamm.errors import ConfigError
from iamm.files import encoded, shortened

PLACES = (
    *("output_dir", "data_dir", "device", "threads", "mode", "run", "rerun"),
    *("log", "sweep", "checkpoint", "nonfinite"),
)
"""Keys that say where and how, not what is computed; left out of a run's address."""

BUDGET = ("seed", "epochs", "steps", "batch_size", "accumulate", "growth", "growth_every", "patience")
"""Keys that say how long a run may train, and on what batches."""


def address(config: Mapping[str, Any], names: Sequence[str]) -> str:
    """A readable name and 8 hex digits of SHA-256 over what the configuration computes; `from` counts by its address.

    Args:
        config: resolved, plain containers.
        names: what a reader should see first, such as model and data sets.
    """
    kept = drop_keys(config, PLACES)
    if config.get("from"):
        kept["from"] = Path(config["from"]).name
    try:
        text = json.dumps(kept, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ConfigError(f"The numbers of a configuration are finite. {error}: write another, or null.") from error
    return f"{shortened('-'.join(names), 246)}-{hashlib.sha256(encoded(text)).hexdigest()[:8]}"


def drop_keys(value: Any, keys: Sequence[str]) -> Any:
    """The same containers without those keys, at any depth."""
    if isinstance(value, Mapping):
        return {key: drop_keys(part, keys) for key, part in value.items() if key not in keys}
    if isinstance(value, list):
        return [drop_keys(part, keys) for part in value]
    return value
