"""Command lines of `key=value` words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iamm.errors import ConfigError, nearest

SWITCHES = {"true": True, "false": False}


def options(words: Sequence[str], defaults: Mapping[str, str | None]) -> dict[str, str]:
    """Give the value of each key.

    Args:
        words: `key=value`; `--key` stands for `key=true`.
        defaults: key → its default; None means that the command line must set it.

    Raises:
        ConfigError: an unknown key, a key without a value, or a required key that is missing.
    """
    values = {key: value for key, value in defaults.items() if value is not None}
    for word in words:
        key, sign, value = word.partition("=")
        if key.startswith("--") and not sign:
            key, value = key.removeprefix("--"), "true"
        if key not in defaults:
            raise ConfigError(f"A word must be key=value. Found {word}. {nearest(key, defaults)}")
        if not value:
            raise ConfigError(f"`{key}` must have a value. Found none: write {key}=….")
        values[key] = value
    for key in defaults:
        if key not in values:
            raise ConfigError(f"`{key}` must be given. Found none: add {key}=….")
    return values


def switch(values: Mapping[str, str], key: str) -> bool:
    """Raises:
    ConfigError: neither true nor false.
    """
    if values[key] not in SWITCHES:
        raise ConfigError(f"`{key}` must be true or false. Found {values[key]}.")
    return SWITCHES[values[key]]
