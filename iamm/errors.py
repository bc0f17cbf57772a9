"""Errors that a user can correct: each is one line with a fixed exit code (as in BSD's sysexits.h), no traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

ALIKE = 0.65
"""Share of letters, in the same order, that a word must have in common with the one that was meant."""


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
    """A loss or gradient that is not a finite number.

    Args:
        message: one line.
        batch: data set → the numbers of its rows in the step.
    """

    exit_code = 4

    def __init__(self, message: str, batch: Mapping[str, Sequence[int]] | None = None) -> None:
        super().__init__(message)
        self.batch = batch or {}


class NonFiniteError(ArithmeticError):
    """A step that must not be applied; the loop skips it or reports it.

    Args:
        what: loss or gradient.
        scenes: the numbers of the affected scenes, where they are known.
    """

    def __init__(self, what: str, scenes: Sequence[int] = ()) -> None:
        super().__init__(f"a {what} is not finite")
        self.what, self.scenes = what, tuple(scenes)


class NoSolutionError(UserError):
    """A weighting's problem that has no solution, as when the scenes' gradients cancel each other."""

    exit_code = 5


class DifferentError(UserError):
    """A repeated run that is not the same to the last bit."""

    exit_code = 6


class BadDataError(UserError):
    """A data file that is there, but truncated or malformed."""

    exit_code = 65


class DamagedRunError(BadDataError):
    """A run folder with a file that is not as it was written, or not plain; it concerns no other run."""


class LostProcessError(UserError):
    """A process of a training on several devices that was killed."""

    exit_code = 71


class MissingDataError(UserError):
    """A data file that is not there."""

    exit_code = 66


class UnreachableError(UserError):
    """A server that does not answer, or does not send what was requested."""

    exit_code = 68


class MissingPackageError(UserError):
    """A package that is not installed, or broken."""

    exit_code = 69


class OutputError(UserError):
    """A run folder that cannot be written."""

    exit_code = 73


class FullDiskError(UserError):
    """A file that could not be written to its end: disk full, quota or an error of the device."""

    exit_code = 74


class BusyError(UserError):
    """A run folder to which another running process writes."""

    exit_code = 75


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that has most letters in common with the word, the first of equals; None if none is alike."""
    matcher = difflib.SequenceMatcher(b=word)

    def likeness(other: str) -> float:
        matcher.set_seq1(other)
        return matcher.ratio()

    return max((other for other in known if likeness(other) >= ALIKE), key=likeness, default=None)


def nearest(name: str, choices: Iterable[str]) -> str:
    """`Did you mean "x"? Choices: …`, the nearest right name first; without a near one only the choices."""
    known = sorted(choices)
    close = closest(name, known)
    hint = f'Did you mean "{close}"? ' if close else ""
    return f"{hint}Choices: {', '.join(known)}."


DEPENDENCIES = {
    **{
        name: name
        for name in ("torch", "numpy", "omegaconf", "tensorboard", "sacrebleu", "sentencepiece", "scipy", "jinja2")
    },
    **{"PIL": "pillow", "matplotlib": "matplotlib", "rich": "rich", "hydra": "hydra-core", "sklearn": "scikit-learn"},
}
"""Packages that the project imports, as they are imported, with their names for pip."""


def missing_package(error: BaseException | None) -> MissingPackageError | None:
    """The error that names the package to install where an import failed; None for any other error."""
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__ or error.__context__
    package = DEPENDENCIES.get(str(getattr(error, "name", "")).split(".")[0])
    if package is None:
        return None
    option = "" if isinstance(error, ModuleNotFoundError) else "--force-reinstall "
    reason = " ".join(str(error).split()).rstrip(".")
    return MissingPackageError(
        f"`iamm` needs {package}. Found: {reason}. Install it with: pip install {option}{package}"
    )
