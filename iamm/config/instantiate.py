"""Hydra makes here the objects that plain values describe, and calls nothing but what is allowed."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from hydra import utils
from hydra.errors import InstantiationException

from iamm.config.check.targets import OPTIMIZER, check_targets
from iamm.config.check.values import check_plain
from iamm.config.parts import Part, named, parts
from iamm.errors import ConfigError, UserError
from iamm.own import import_from_beside, is_allowed, own_place

GROUPS = {
    **dict.fromkeys(("attention", "fusion", "transfer", "weighting"), 0),
    **dict.fromkeys(("augment", "dataset", "encoder", "head"), 1),
}
"""Groups with a base class of their own, and how many names come behind the group's in the path of a part."""


def instantiate(part: Any) -> Any:
    """Call the `_target_` of a part with its other keys."""
    return utils.instantiate(part)


def instantiate_each(group: Mapping[str, Any]) -> dict[str, Any]:
    """Make each entry of a group that composes several choices."""
    return {str(name): instantiate(part) for name, part in group.items()}


@contextmanager
def own_mistakes() -> Iterator[None]:
    """Turn what a part refuses on purpose into a user's mistake of one line; any other error is a defect, and shows."""
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
    """Tell whether an error comes from a `raise` of the project or of a package that the user allows.

    `int("a")` in the same place does not, nor an error from deep inside a library.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    raised = dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"
    return raised and (module.startswith(("iamm.", "torch.optim.")) or is_allowed(module))


def check_parts(values: Mapping[str, Any]) -> None:
    """Check that every part may be called, however the values came: a run's folder may be anybody's.

    Raises:
        ConfigError: a class that is not allowed; a key that a class of the user's own does not take.
    """
    check_plain(values)
    configured = list(parts(values))
    check_targets(configured)
    import_from_beside()
    for part in configured:
        if not named(part.values):
            require_own(part)


def require_own(part: Part) -> None:
    """A class from outside the project must be defined in the allowed package, not only imported there."""
    target = part.values["_target_"]
    with own_mistakes():
        callee = imported(target)
    home = str(getattr(callee, "__module__", ""))
    of_torch = OPTIMIZER.fullmatch(target) and f"{home}.".startswith("torch.optim.")
    if not callable(callee) or not (of_torch or is_allowed(home)):
        raise ConfigError(f"`{part.path}._target_` must be of an allowed package. Found {target}, of {home or 'none'}.")
    require_base(part.path, target, callee)
    arguments = {str(key): value for key, value in part.values.items() if not str(key).startswith("_")}
    try:
        inspect.signature(callee).bind_partial(**arguments)
    except TypeError as error:
        raise ConfigError(f"A part must know its keys. Found {target}: {one_line(error)}.") from error


def require_base(path: str, target: str, callee: Any) -> None:
    """A class of the user's own must inherit the base class of its group; a function may return what it likes."""
    group, *inner = path.split(".")
    if not isinstance(callee, type) or group not in GROUPS or len(inner) != GROUPS[group]:
        return
    base = getattr(import_module(f"iamm.{group}.base"), group.title())
    if not issubclass(callee, base):
        raise ConfigError(
            f"A class of your own must inherit the base class of its group. Found {target} for `{path}`: inherit "
            f"{base.__module__}.{base.__name__}."
        )


def imported(target: str) -> Any:
    """Import a class of the user's own.

    Raises:
        ConfigError: there is none; an error inside its module goes through.
    """
    module, _, name = target.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except Exception as error:
        if isinstance(error, UserError) or own_place(error):
            raise
        raise ConfigError(
            f"A class of your own must be importable. Found {target}: {one_line(error)}. Name one that is there; put "
            "its package beside the folder of --config-dir, install it, or name its folder in PYTHONPATH."
        ) from error


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
