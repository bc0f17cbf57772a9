"""A library's error → one line with the rule, what was found and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from iamm.cli.help import choices, groups, known_keys
from iamm.errors import ConfigError, UserError, nearest


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of composing a configuration into `ConfigError`s; let all others through."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        message = config_mistake(error)
        if message is None:
            raise
        raise ConfigError(message) from error


def config_mistake(error: Exception) -> str | None:
    """The line for an error of Hydra or OmegaConf; None for any other error."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    text = "\n".join(str(part) for part in chain(error))
    for rule in (missing_choice, unknown_group, unknown_key):
        message = rule(text)
        if message:
            return message
    return " ".join(str(error).split())


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def missing_choice(text: str) -> str | None:
    found = re.search(r"Could not find '([\w@.]+)/([^']+)'", text)
    if not found:
        return None
    group, name = found[1], found[2].split("/")[-1]
    if group not in groups():
        return f"A group must be one of the project's. Found {group}. {nearest(group, groups())}"
    return f"`{group}` must be one of its choices. Found {name}. {nearest(name, choices(group))}"


def unknown_group(text: str) -> str | None:
    found = re.search(r"Could not override '([\w@./]+)'\.\s+No match in the defaults list", text)
    if not found:
        return None
    name = found[1]
    return f"A group must stand in the defaults list. Found {name}. {nearest(name, groups())} Or add it with +{name}=…"


def unknown_key(text: str) -> str | None:
    found = re.search(r"Could not override '([^']+)'", text) or re.search(r"Key '([^']+)' is not in struct", text)
    if not found:
        return None
    key, known = found[1], known_keys()
    close = nearest(key, known)
    hint = close.split(" Choices:")[0] if close.startswith("Did") else "See iamm-train --help."
    return f"A key must be known. Found {key}. {hint}"
