"""Mistakes that are a user's to mend: one line, a fixed exit code (those of BSD's sysexits.h), no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """The rule, what was found, what to do next: in one line."""

    exit_code = 1


class ConfigError(UserError):
    """A key, a choice, a value or a combination that cannot work."""

    exit_code = 2


class FailedCellError(UserError):
    """A run of a sweep or a table that failed, while the others went on."""

    exit_code = 3


class DivergedError(UserError):
    """A loss or gradient that is not a finite number."""

    exit_code = 4


class NoSolutionError(UserError):
    """A weighting's problem that has no solution, as when the scenes' gradients cancel each other."""

    exit_code = 5


class BadDataError(UserError):
    """A data file that is there, but truncated or malformed."""

    exit_code = 65


class MissingDataError(UserError):
    """A data file that is not there."""

    exit_code = 66


class MissingPackageError(UserError):
    """An optional package that is not installed."""

    exit_code = 69


class OutputError(UserError):
    """A run folder that cannot be written."""

    exit_code = 73


class FullDiskError(UserError):
    """A file that could not be written to its end: disk full, quota or an error of the device."""

    exit_code = 74


class BusyError(UserError):
    """A run folder that another live process is writing."""

    exit_code = 75


def nearest(name: str, choices: Iterable[str]) -> str:
    """`Did you mean "x"? Choices: …`, the nearest right name first; without a near one only the choices."""
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f'Did you mean "{close[0]}"? ' if close else ""
    return f"{hint}Choices: {', '.join(known)}."
