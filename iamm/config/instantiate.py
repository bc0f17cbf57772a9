"""Plain values → the objects that they describe, by Hydra; nothing is called but what may be."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hydra import utils
from hydra.errors import InstantiationException

from iamm.config.check.targets import OPTIMIZER, check_targets, is_allowed
from iamm.config.check.values import check_plain
from iamm.config.parts import Part, named, parts
from iamm.errors import ConfigError, UserError


def instantiate(part: Any) -> Any:
    """What the `_target_` of a part makes of its other keys."""
    return utils.instantiate(part)


def instantiate_each(group: Mapping[str, Any]) -> dict[str, Any]:
    """Each entry of a group that composes several choices."""
    return {str(name): instantiate(part) for name, part in group.items()}


@contextmanager
def own_mistakes() -> Iterator[None]:
    """What a part refuses on purpose is the user's mistake: its one line, without a traceback. Any other error is a
    defect, and shows as one."""
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while isinstance(cause, InstantiationException) and cause.__cause__:
            cause = cause.__cause__
        if isinstance(cause, UserError):
            raise cause from error
        if isinstance(cause, ValueError) and refused_on_purpose(cause):
            raise ConfigError(one_line(cause)) from error
        raise


def refused_on_purpose(error: BaseException) -> bool:
    """Whether a `raise` of the project, or of a package that the user allows, is where it comes from: `int("a")` in the
    same place, or an error from deep inside a library, is not."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    said = dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return said and (module.startswith(("iamm.", "torch.optim.")) or is_allowed(module))


def check_parts(values: Mapping[str, Any]) -> None:
    """Hold every part against what may be called, whatever way the values came: a run's folder may be anybody's.

    Raises:
        ConfigError: a class that is not allowed; a key that one of the user's own does not know.
    """
    check_plain(values)
    found = list(parts(values))
    check_targets(found)
    for part in found:
        if not named(part.values):
            require_own(part)


def require_own(part: Part) -> None:
    """A class from outside the project lies in the package that was allowed, not only in that package's sight."""
    target = part.values["_target_"]
    with own_mistakes():
        found = utils.get_object(target)
    home = str(getattr(found, "__module__", ""))
    of_torch = OPTIMIZER.fullmatch(target) and f"{home}.".startswith("torch.optim.")
    if not callable(found) or not (of_torch or is_allowed(home)):
        raise ConfigError(f"`{part.path}._target_` must be of an allowed package. Found {target}, of {home or 'none'}.")
    given = {str(key): value for key, value in part.values.items() if not str(key).startswith("_")}
    try:
        inspect.signature(found).bind_partial(**given)
    except TypeError as error:
        raise ConfigError(f"A part must know its keys. Found {target}: {one_line(error)}.") from error


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
