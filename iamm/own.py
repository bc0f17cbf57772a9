"""A user's own packages: which are allowed, where they are imported from, the state of their code, errors in them."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from iamm.errors import DEPENDENCIES, ConfigError, UserError

ALLOW = "IAMM_ALLOW"
"""This environment variable names packages of the user's own, separated by commas. No YAML file can set it, so none can
allow what it names itself."""
BESIDE = "IAMM_BESIDE"
"""The folder that `--config-dir` lies in, for the processes that a command starts."""
TRACEBACK = "IAMM_TRACEBACK"
OTHERS = sys.stdlib_module_names | DEPENDENCIES.keys() | {"iamm", "joblib", "pip", "setuptools"}
"""These packages are nobody's own; they can load and run any file."""


class OwnError(UserError):
    """An error that a user's own class raises: its kind, file and line."""


def allowed_packages() -> tuple[str, ...]:
    """The packages that the user allows.

    Raises:
        ConfigError: one of them is not the user's own.
    """
    names = tuple(name for name in re.split(r"[,\s]+", os.environ.get(ALLOW, "")) if name)
    for name in names:
        if name.split(".")[0] in OTHERS:
            raise ConfigError(
                f"{ALLOW} names packages of your own. Found {name}, which can run anything: leave it out."
            )
    return names


def is_allowed(target: str) -> bool:
    """Tell whether a dotted name lies in a package that the user allows."""
    return any(f"{target}.".startswith(f"{package}.") for package in allowed_packages())


class OwnPackages:
    """A finder of allowed packages beside `--config-dir`, and of nothing else there; installed ones come first."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The top-level package of this name, if it is allowed and lies there."""
        folder = os.environ.get(BESIDE)
        if path is not None or not folder or name not in {each.split(".")[0] for each in allowed_packages()}:
            return None
        return PathFinder.find_spec(name, [folder])


def import_from_beside(config_dir: Path | None = None) -> None:
    """Make allowed packages beside a folder of YAML files importable, here and in the processes that are started."""
    if config_dir is not None:
        os.environ[BESIDE] = str(config_dir.absolute().parent)
    if OwnPackages not in sys.meta_path:
        sys.meta_path.append(OwnPackages)


@cache
def code_state(package: str) -> str:
    """SHA-256 of the sources of a package, with their names; empty where they cannot be found."""
    spec = find_spec(package)
    if spec is None or not (spec.origin or spec.submodule_search_locations):
        return ""
    digest = hashlib.sha256()
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    files = [(file, file.relative_to(folder)) for folder in folders for file in sorted(folder.rglob("*.py"))]
    for file, name in files or [(Path(str(spec.origin)), Path(package))]:
        digest.update(f"{name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def own_error(error: BaseException | None) -> OwnError | None:
    """The line for an error in an allowed package; None for any other error, and where the traceback is wanted."""
    while error is not None and not own_place(error):
        error = error.__cause__
    if error is None or os.environ.get(TRACEBACK):
        return None
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    text = " ".join(reason.split()) or "no reason given"
    return OwnError(f"{type(error).__name__} in {own_place(error)}: {text} ({TRACEBACK}=1 shows the traceback)")


def own_place(error: BaseException) -> str:
    """The innermost place of an error in an allowed package, or that of an unreadable line; else empty."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{os.path.relpath(error.filename)}, line {error.lineno}"
    places = [
        f"{os.path.relpath(frame.f_code.co_filename)}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_allowed(str(frame.f_globals.get("__name__", "")))
    ]
    return places[-1] if places else ""
