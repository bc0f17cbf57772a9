"""Constructors that refuse what breaks the constraints of their signatures, and arguments that cannot go together."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, wraps
from typing import Any, ClassVar

from iamm.constraints import Constraint, broken, constraint_of

TOGETHER = ("at_most", "different", "impossible", "divides", "one_per_scene", "not_all_zero")


def conflicts(stated: Mapping[str, Any], values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the message on each set of arguments that cannot go together, and their names.

    Args:
        stated: class attribute → its value, as in `Constrained`.
        values: argument → value; null counts as 0.
        path: prefix of the names.
    """
    for names, most in stated.get("at_most", {}).items():
        total = round(sum(values.get(name) or 0 for name in names), 9)
        if total > most:
            yield f"{listed(names, path, ' + ')} must be at most {most:,}. Found {total:,.6g}: lower one.", [*names]
    for names in stated.get("different", ()):
        pair = [values.get(name) for name in names]
        if None not in pair and len(set(pair)) < len(pair):
            yield f"{listed(names, path)} must differ. Found {pair[0]} for both: change one.", [*names]
    for rule, choices in stated.get("impossible", {}).items():
        for choice in choices:
            if all(values.get(name) in refused for name, refused in choice.items()):
                shown = ", ".join(f"{path}{name}={values[name]}" for name in choice)
                yield f"{rule}. Found {shown}: change one.", [*choice]
    for name, others in stated.get("divides", {}).items():
        if any(number % values.get(name, 1) for number in values.get(others) or ()):
            shown = f"{name}={values[name]}, {others}={[*values[others]]}"
            yield f"`{path}{name}` must divide each of `{path}{others}`. Found {shown}: change one.", [name, others]
    yield from list_conflicts(stated, values, path)


def list_conflicts(stated: Mapping[str, Any], values: Mapping[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the conflicts of lists with a number for each scene; `scenes` is their count, where it is known."""
    for name in stated.get("one_per_scene", ()):
        numbers, scenes = values.get(name), values.get("scenes")
        if numbers is not None and scenes is not None and len(numbers) != scenes:
            shown = f"{len(numbers)} for {scenes}: {[*numbers]}"
            yield f"`{path}{name}` must hold one number for each scene. Found {shown}.", [name]
    for name in stated.get("not_all_zero", ()):
        if values.get(name) and not any(values[name]):
            yield f"`{path}{name}` must have one above 0. Found {[*values[name]]}.", [name]


def listed(names: Sequence[str], path: str, sign: str = " and ") -> str:
    return sign.join(f"`{path}{name}`" for name in names)


class Constrained:
    """A class whose constructor refuses arguments that break the constraints of its signature.

    Raises:
        ValueError: the first such argument.
    """

    at_most: ClassVar[Mapping[tuple[str, ...], float]] = {}
    """Arguments → the largest sum that they may have."""

    different: ClassVar[Sequence[tuple[str, ...]]] = ()
    """Arguments that must have different values."""

    impossible: ClassVar[Mapping[str, Sequence[Mapping[str, Sequence[Any]]]]] = {}
    """A rule → the values of several arguments that it forbids together."""

    divides: ClassVar[Mapping[str, str]] = {}
    """An argument → another one, a list of numbers each of which it must divide."""

    one_per_scene: ClassVar[Sequence[str]] = ()
    """Arguments that are lists with one number for each of `scenes`."""

    not_all_zero: ClassVar[Sequence[str]] = ()
    """Arguments that are lists with one number above 0."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            setattr(cls, "__init__", checked(cls.__dict__["__init__"]))  # noqa: B010


def checked(constructor: Callable[..., None]) -> Callable[..., None]:
    """Wrap a constructor so that it checks its arguments first."""
    signature = inspect.signature(constructor)

    @wraps(constructor)
    def construct(self: Any, *positional: Any, **named: Any) -> None:
        try:
            bound = signature.bind(self, *positional, **named)
        except TypeError:
            return constructor(self, *positional, **named)  # which says what is missing
        bound.apply_defaults()
        later = restated(type(self), constructor)
        require({name: rule for name, rule in stated(constructor).items() if name not in later}, bound.arguments)
        for line, _ in conflicts({name: getattr(self, name) for name in TOGETHER}, bound.arguments):
            raise ValueError(line)
        return constructor(self, *positional, **named)

    return construct


def restated(cls: type, constructor: Callable[..., None]) -> set[str]:
    """Give the arguments of a constructor for which a derived class states new constraints."""
    names: set[str] = set()
    for derived in cls.__mro__:
        if "__init__" in vars(derived):
            initializer = inspect.unwrap(vars(derived)["__init__"])
            if initializer is constructor:
                break
            names |= stated(initializer).keys()
    return names


def check_fields(instance: Any) -> None:
    """Check the fields of a dataclass against the constraints of their annotations."""
    for cls in type(instance).__mro__:
        if "__annotations__" in vars(cls):
            require(stated(cls), vars(instance))


def require(constraints: Mapping[str, Constraint], values: Mapping[str, Any]) -> None:
    for name, constraint in constraints.items():
        if name in values and not constraint.holds(values[name]):
            raise ValueError(broken(name, constraint, values[name]))


@cache
def stated(owner: Any) -> dict[str, Constraint]:
    """Map the arguments of a constructor, or the fields of a dataclass, to their constraints."""
    names = vars(sys.modules[owner.__module__])
    parameters = {} if isinstance(owner, type) else inspect.signature(owner).parameters
    several = [name for name, one in parameters.items() if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    hints: dict[str, Any] = {}
    for name, hint in owner.__annotations__.items():
        if name in several:
            continue
        try:
            hints[name] = eval(hint, dict(names)) if isinstance(hint, str) else hint
        except NameError:  # only for the type checker
            continue
    return {name: rule for name, hint in hints.items() if (rule := constraint_of(hint)) is not None}
