"""An error of Hydra, OmegaConf or the YAML parser is turned here into one line with the rule, and what to do.

Only this file reads the messages of other libraries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iamm.config.groups import known_keys, owners
from iamm.config.limits import check_folders
from iamm.config.mistakes import (
    NoChoiceError,
    SeveralValuesError,
    UnknownKeyError,
    broken_reference,
    no_name,
    no_override,
    null_key,
    unknown_choice,
    unknown_group,
)
from iamm.errors import ConfigError, MissingPackageError, UserError, nearest

PLUGINS = {
    "launcher": {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"},
    "sweeper": {"optuna": "optuna"},
}
"""Hydra's launchers and sweepers → the extra of the project that brings each."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of composing a configuration into a user's mistakes; let all others through."""
    try:
        check_folders()
        yield
    except UserError:
        raise
    except Exception as error:
        mistake = mistake_of(error)
        if mistake is None:
            raise
        raise mistake from error


def mistake_of(error: Exception) -> UserError | None:
    """Give the user's mistake behind an error of Hydra, OmegaConf or the YAML parser; None for any other error."""
    from hydra.errors import HydraException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    if text := of_parser(error):
        return ConfigError(text)
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return no_name()
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    if unreadable := [part.override for part in chain(error) if isinstance(part, OverrideParseException)]:
        return no_override(" ".join(unreadable[-1].split()))
    text = "\n".join(str(part) for part in chain(error))
    for pattern, make in MESSAGES:
        if match := re.search(pattern, text):
            return make(match)
    return ConfigError(" ".join(str(error).split()))


def of_parser(error: Exception) -> str | None:
    """Say what is wrong with a YAML file or a number in it; None of another error."""
    if place := getattr(error, "problem_mark", None):
        problem = getattr(error, "problem", None)
        return f"A YAML file must be well formed. Found {place.name}, line {place.line + 1}: {problem}. Mend it there."
    if type(error).__name__ in ("UnicodeDecodeError", "ReaderError"):
        return f"A YAML file must be plain text in UTF-8. Found one that is not: {' '.join(str(error).split())}."
    if isinstance(error, ValueError) and str(error).startswith("Exceeds the limit"):
        return "A number must be short enough to be read. Found one of more than 4,300 digits: write another."
    if isinstance(error, RecursionError):
        return "A configuration must end somewhere. Found one that nests too deep: take out a level, or a circle."
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def missing_plugin(part: str, name: str) -> UserError:
    extra = PLUGINS[part].get(name)
    if extra is None:
        known = nearest(name, ["basic", *PLUGINS[part]])
        return ConfigError(f"`hydra/{part}` must be one of its choices. Found {name}. {known}")
    return MissingPackageError(
        f"`hydra/{part}={name}` needs an optional package. Found no hydra-{extra}-{part}: install it with: "
        f"pip install 'iamm[{extra}]' (docs/{extra}.md tells more)."
    )


def not_deleted(key: str) -> UserError:
    """Hydra has one message for a key that is null and one that does not exist."""
    return null_key(key) if key in known_keys() and key not in owners() else UnknownKeyError(key)


def available(match: re.Match[str]) -> list[str]:
    """Give the choices as Hydra lists them, those of --config-dir among them."""
    return re.findall(r"^\t(\w+)$", match.string, flags=re.MULTILINE)


def no_folder(folder: str) -> UserError:
    return ConfigError(f"`--config-dir` must name a folder. Found none at {folder}: make it, or name another.")


MESSAGES: tuple[tuple[str, Callable[[re.Match[str]], UserError]], ...] = (
    (r"Additional config directory '(.+)' not found", lambda match: no_folder(match[1])),
    (r"Ambiguous value for argument '(.+?)'\n", lambda match: SeveralValuesError(match[1])),
    (r"You must specify '(\w+)'", lambda match: NoChoiceError(match[1], available(match))),
    (
        r"Could not (?:find|load) 'hydra/(launcher|sweeper)/([^']*)'",
        lambda match: missing_plugin(match[1], match[2]),
    ),
    (
        r"Could not (?:find|load) '(\w+)(?:@[\w.]+)?/([^']*)'",
        lambda match: unknown_choice(match[1], match[2].split("/")[-1], available(match)),
    ),
    (r"Could not override '([\w@./]+)'\.\s+No match in the defaults list", lambda match: unknown_group(match[1])),
    (r"Could not delete from config\. '([^']+)'", lambda match: not_deleted(match[1])),
    (
        r"Could not override '([^']+)'|Key '([^']+)' is not in struct",
        lambda match: UnknownKeyError(match[1] or match[2]),
    ),
    (
        r"Interpolation key '(.+?)' not found\s+full_key: (\S+)",
        lambda match: broken_reference(match[2], match[1]),
    ),
)
"""Messages of Hydra and OmegaConf, and the mistake that each stands for; the first that matches counts."""
