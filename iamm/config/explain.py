"""An error of Hydra, OmegaConf or the YAML parser → one line with the rule, what was found and what to do.

The only place that reads another library's sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from iamm.config.groups import known_keys, owners
from iamm.config.limits import hold_files
from iamm.config.mistakes import (
    BrokenReferenceError,
    NoChoiceError,
    NoNameError,
    NullKeyError,
    SeveralValuesError,
    UnknownChoiceError,
    UnknownGroupError,
    UnknownKeyError,
)
from iamm.errors import ConfigError, MissingPackageError, UserError, nearest

PLUGINS = {
    "launcher": {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"},
    "sweeper": {"optuna": "optuna"},
}
"""Hydra's launchers and sweepers, with the extra of the project's that each comes with."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors of composing a configuration into a user's; let all others through."""
    try:
        hold_files()
        yield
    except UserError:
        raise
    except Exception as error:
        mistake = mistake_of(error)
        if mistake is None:
            raise
        raise mistake from error


def mistake_of(error: Exception) -> UserError | None:
    """The user's mistake behind an error of Hydra, OmegaConf or the YAML parser; None for any other error."""
    from hydra.errors import HydraException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    if text := of_the_parser(error):
        return ConfigError(text)
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return NoNameError()
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    if words := [part.override for part in chain(error) if isinstance(part, OverrideParseException)]:
        return unreadable(words[-1])
    text = "\n".join(str(part) for part in chain(error))
    for pattern, make in MESSAGES:
        if found := re.search(pattern, text):
            return make(found)
    return ConfigError(" ".join(str(error).split()))


def of_the_parser(error: Exception) -> str | None:
    """What is wrong with a file or a number in it."""
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


def unreadable(word: str) -> UserError:
    found = " ".join(word.split())
    return ConfigError(
        f"An override must read key=value. Found {found}: put quotes around signs and spaces, 'key=\"a b\"'."
    )


def missing_folder(found: re.Match[str]) -> UserError:
    return ConfigError(f"`--config-dir` must name a folder. Found none at {found[1]}: make it, or name another.")


def missing_plugin(found: re.Match[str]) -> UserError:
    part, name = found[1], found[2]
    extra = PLUGINS[part].get(name)
    if extra is None:
        known = nearest(name, ["basic", *PLUGINS[part]])
        return ConfigError(f"`hydra/{part}` must be one of its choices. Found {name}. {known}")
    return MissingPackageError(
        f"`hydra/{part}={name}` needs an optional package. Found no hydra-{extra}-{part}: install it with: "
        f"pip install 'iamm[{extra}]' (docs/{extra}.md tells more)."
    )


def not_deleted(key: str) -> UserError:
    """Hydra says alike that a key is null and that there is none."""
    return NullKeyError(key) if key in known_keys() and key not in owners() else UnknownKeyError(key)


def available(found: re.Match[str]) -> list[str]:
    """Choices as Hydra lists them, those of --config-dir among them."""
    return re.findall(r"^\t(\w+)$", found.string, flags=re.MULTILINE)


MESSAGES: tuple[tuple[str, Callable[[re.Match[str]], UserError]], ...] = (
    (r"Additional config directory '(.+)' not found", missing_folder),
    (r"Ambiguous value for argument '(.+?)'\n", lambda found: SeveralValuesError(found[1])),
    (r"You must specify '(\w+)'", lambda found: NoChoiceError(found[1], available(found))),
    (r"Could not (?:find|load) 'hydra/(launcher|sweeper)/([^']*)'", missing_plugin),
    (
        r"Could not (?:find|load) '(\w+)(?:@[\w.]+)?/([^']*)'",
        lambda found: UnknownChoiceError(found[1], found[2].split("/")[-1], available(found)),
    ),
    (r"Could not override '([\w@./]+)'\.\s+No match in the defaults list", lambda found: UnknownGroupError(found[1])),
    (r"Could not delete from config\. '([^']+)'", lambda found: not_deleted(found[1])),
    (
        r"Could not override '([^']+)'|Key '([^']+)' is not in struct",
        lambda found: UnknownKeyError(found[1] or found[2]),
    ),
    (
        r"Interpolation key '(.+?)' not found\s+full_key: (\S+)",
        lambda found: BrokenReferenceError(found[2], found[1]),
    ),
)
"""Hydra's and OmegaConf's sentences, and the mistake that each tells of; the first that fits."""
