"""A library's error → one line with the rule, what was found and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from iamm.config.groups import choices, groups, known_keys, owners, slots
from iamm.config.limits import hold_files
from iamm.errors import ConfigError, MissingPackageError, UserError, closest, nearest

Rule = Callable[[str], "str | None"]
"""A library's words → the line to be said, if they are of this kind of mistake."""
PLUGINS = {
    "launcher": {"joblib": "joblib", "submitit_local": "submitit", "submitit_slurm": "submitit", "ray": "ray"},
    "sweeper": {"optuna": "optuna"},
}
"""Hydra's launchers and sweepers, with the extra of the project's that each comes with."""


@contextmanager
def explained(*own: Rule) -> Iterator[None]:
    """Turn the errors of composing a configuration into `ConfigError`s; let all others through.

    Args:
        own: rules of one command, tried before those of both.
    """
    try:
        hold_files()
        yield
    except UserError:
        raise
    except Exception as error:
        message = config_mistake(error, own)
        if message is None:
            raise
        raise ConfigError(message) from error


def config_mistake(error: Exception, own: Sequence[Rule] = ()) -> str | None:
    """The line for an error of Hydra, OmegaConf or the YAML parser; None for any other error."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    if place := getattr(error, "problem_mark", None):
        problem = getattr(error, "problem", None)
        return f"A YAML file must be well formed. Found {place.name}, line {place.line + 1}: {problem}. Mend it there."
    if type(error).__name__ in ("UnicodeDecodeError", "ReaderError"):
        return f"A YAML file must be plain text in UTF-8. Found one that is not: {' '.join(str(error).split())}."
    if isinstance(error, ValueError) and str(error).startswith("Config group override"):
        return "A group takes the name of a choice. Found null or a number: see --help for the choices."
    if isinstance(error, ValueError) and str(error).startswith("Exceeds the limit"):
        return "A number must be short enough to be read. Found one of more than 4,300 digits: write another."
    if isinstance(error, RecursionError):
        return "A configuration must end somewhere. Found one that nests too deep: take out a level, or a circle."
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return None
    text = "\n".join(str(part) for part in chain(error))
    return next((message for rule in (*own, *RULES) if (message := rule(text))), " ".join(str(error).split()))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def refuse_dashes(words: Sequence[str], known: Sequence[str] = ()) -> None:
    """Options begin with dashes, keys (those of `iamm-train`, unless others are given) do not."""
    for word in words:
        key = word.lstrip("-").split("=")[0]
        if word.startswith("-") and key in (known or known_keys()):
            raise ConfigError(f"A key stands without dashes. Found {word}: write {key}=….")


def unreadable(text: str) -> str | None:
    if "override_grammar" not in text:
        return None
    found = re.search(r"(?:override|input) '(.+?)'(?:\n|$)|Exception: (.+)", text)
    place = (found[1] or found[2]) if found else text.splitlines()[0]
    return f"An override must read key=value. Found {place}: put quotes around signs and spaces, 'key=\"a b\"'."


def missing_folder(text: str) -> str | None:
    found = re.search(r"Additional config directory '(.+)' not found", text)
    return found and f"`--config-dir` must name a folder. Found none at {found[1]}: make it, or name another."


def several_values(text: str) -> str | None:
    found = re.search(r"Ambiguous value for argument '(.+?)'\n", text)
    return found and f"A key takes one value. Found {found[1]}: add -m to sweep over them, or write [a,b] for a list."


def missing_plugin(text: str) -> str | None:
    found = re.search(r"Could not (?:find|load) 'hydra/(launcher|sweeper)/([^']*)'", text)
    if not found:
        return None
    part, name = found[1], found[2]
    extra = PLUGINS[part].get(name)
    if extra is None:
        return f"`hydra/{part}` must be one of its choices. Found {name}. {nearest(name, ['basic', *PLUGINS[part]])}"
    raise MissingPackageError(
        f"`hydra/{part}={name}` needs an optional package. Found no hydra-{extra}-{part}: install it with: "
        f"pip install 'iamm[{extra}]' (docs/{extra}.md tells more)."
    )


def missing_choice(text: str) -> str | None:
    found = re.search(r"Could not (?:find|load) '(\w+)(?:@[\w.]+)?/([^']*)'", text)
    if not found:
        return None
    group, name = found[1], found[2].split("/")[-1]
    if group not in groups():
        return f"A group must be one of the project's. Found {group}. {nearest(group, groups())}"
    known = available(text) or choices(group)
    return f"`{group}` must be one of its choices. Found {name or 'none'}. {nearest(name, known)}"


def available(text: str) -> list[str]:
    """Choices as Hydra lists them, those of --config-dir among them."""
    return re.findall(r"^\t(\w+)$", text, flags=re.MULTILINE)


def unknown_group(text: str) -> str | None:
    found = re.search(r"Could not override '([\w@./]+)'\.\s+No match in the defaults list", text)
    if not found:
        return None
    if found[1] == "table":
        return "A comparison table is built by iamm-table. Found table=…: write iamm-table table=…."
    if found[1] in groups():
        return f"`{found[1]}` has no default to override. Found {found[1]}=…: write +{found[1]}=…."
    return f"A group must stand in the defaults list. Found {found[1]}. {nearest(found[1], groups())}"


def unknown_key(text: str) -> str | None:
    key = refused_key(text)
    return key and unknown(key)


def refused_key(text: str) -> str | None:
    """The key that is not there."""
    found = re.search(r"Could not (?:override|delete from config\.) '([^']+)'|Key '([^']+)' is not in struct", text)
    return found and (found[1] or found[2])


def listed(choices: Sequence[str], most: int = 3) -> str:
    """Some of them by name, the others by number."""
    if len(choices) <= most:
        return " or ".join(choices)
    return f"{', '.join(choices[:most])} or {len(choices) - most} others"


def unknown(key: str) -> str:
    """The nearest right key; for one of a choice that is not taken, that choice."""
    if key in owners():
        taken = listed(sorted(owners()[key]))
        return f"A key must belong to a chosen part. Found {key}, a key of {taken}: choose that, or leave the key out."
    if key in groups() and key not in dict(slots()):
        return f"A part of an attention has its place. Found {key}=…: write {key}@attention.{key}=…."
    return unlike_any(key, known_keys(), "iamm-train")


def unlike_any(key: str, known: Sequence[str], command: str) -> str:
    """The nearest of the known keys, be it by its end alone (`lr` of optimizer.lr); of equals the shortest."""
    ends = {ending(name, depth(key)): name for name in sorted(known, key=depth, reverse=True)}
    close = closest(key, sorted(ends, key=lambda end: depth(ends[end])))
    hint = f'Did you mean "{ends[close]}"?' if close else f"See {command} --help."
    return f"A key must be known. Found {key}. {hint}"


def ending(name: str, parts: int) -> str:
    return ".".join(name.split(".")[-parts:])


def depth(name: str) -> int:
    return name.count(".") + 1


def broken_reference(text: str) -> str | None:
    found = re.search(r"Interpolation key '(.+?)' not found\s+full_key: (\S+)", text)
    return found and f"`{found[2]}` must refer to a key that is there. Found ${{{found[1]}}}: set it, or write a value."


RULES: tuple[Rule, ...] = (
    *(unreadable, missing_folder, several_values, missing_plugin, missing_choice),
    *(unknown_group, unknown_key, broken_reference),
)
"""The first that knows an error explains it."""
