"""Constraints on arguments, stated once in a constructor's signature for the class and for the checks without torch.

Examples: `heads: Count`, `rate: Share | None`, `at: Annotated[str, OneOf(("a", "b"))]`. A class that derives from
`Constrained` refuses arguments that break its signature;
`iamm.config.check.statements` reads the same signature from the source text.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Annotated, Any, Protocol, Union, get_args, get_origin

from iamm.errors import closest


class Constraint(Protocol):
    """A rule for one value."""

    def holds(self, value: Any) -> bool: ...

    def description(self) -> str:
        """Say what the value must be."""
        ...


HUGE = 1_000_000_000
"""A number above this is a mistake; messages leave the limit out."""


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`.

    Args:
        whole: no fraction is allowed.
        above, below: `low` or `high` itself is not allowed.
        even: no odd number is allowed.
    """

    low: float = 0.0
    high: float = math.inf
    whole: bool = False
    below: bool = False
    above: bool = False
    even: bool = False

    def holds(self, value: Any) -> bool:
        number: Any = Integral if self.whole else Real
        if isinstance(value, bool) or not isinstance(value, number):
            return False
        inside = self.low <= value <= self.high and abs(value) < math.inf
        open_ends = (self.below and value == self.high) or (self.above and value == self.low)
        return inside and not open_ends and not (self.even and value % 2)

    def description(self) -> str:
        kind = f"{'an even' if self.even else 'a'}{' whole' * self.whole} number"
        low = "" if self.low == -math.inf else f" {'above' if self.above else 'at least'} {self.low:.12g}"
        high = "" if self.high in (math.inf, HUGE) else f" and {'below' if self.below else 'at most'} {self.high:.12g}"
        return f"{kind}{low}{high}"


@dataclass(frozen=True)
class OneOf:
    """One of several words."""

    choices: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        return value in self.choices

    def description(self) -> str:
        return "one of " + ", ".join(self.choices)


@dataclass(frozen=True)
class Switch:
    """A value that is true or false."""

    def holds(self, value: Any) -> bool:
        return isinstance(value, bool)

    def description(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text:
    """Any text but an empty one."""

    def holds(self, value: Any) -> bool:
        return isinstance(value, str) and value != ""

    def description(self) -> str:
        return "text"


@dataclass(frozen=True)
class ListOf:
    """A list of `length` values (None: at least one), each of which satisfies `each`; `different`: without repeats."""

    each: Constraint
    length: int | None = None
    different: bool = False

    def holds(self, value: Any) -> bool:
        listed = isinstance(value, Sequence) and not isinstance(value, str)
        return listed and all(self.each.holds(part) for part in value) and self.fits(value)

    def fits(self, value: Sequence[Any]) -> bool:
        long_enough = len(value) == self.length if self.length else len(value) > 0
        return long_enough and not (self.different and len(set(value)) < len(value))

    def description(self) -> str:
        several = f"a list of {self.length}" if self.length else f"a list{' without repeats' * self.different}"
        return f"{several}, each of them {self.each.description()}"


@dataclass(frozen=True)
class OrNull:
    """Null, or a value that another constraint allows."""

    other: Constraint

    def holds(self, value: Any) -> bool:
        return value is None or self.other.holds(value)

    def description(self) -> str:
        return f"{self.other.description()}, or null"


@dataclass(frozen=True)
class Either:
    """A value that one of two constraints allows."""

    one: Constraint
    other: Constraint

    def holds(self, value: Any) -> bool:
        return self.one.holds(value) or self.other.holds(value)

    def description(self) -> str:
        return f"{self.one.description()}, or {self.other.description()}"


Count = Annotated[int, Number(1, HUGE, whole=True)]
WholeNumber = Annotated[int, Number(0, HUGE, whole=True)]
Width = Annotated[int, Number(1, 65_536, whole=True)]
EvenWidth = Annotated[int, Number(2, 65_536, whole=True, even=True)]
Layers = Annotated[int, Number(1, 1_000, whole=True)]
Seed = Annotated[int, Number(0, 2**32 - 1, whole=True)]
Share = Annotated[float, Number(0, 1)]
ShareBelow1 = Annotated[float, Number(0, 1, below=True)]
ShareAbove0 = Annotated[float, Number(0, 1, above=True)]
Positive = Annotated[float, Number(0, above=True)]
NotNegative = Annotated[float, Number(0)]
Sharing = Annotated[str | Sequence[Sequence[str]], Either(OneOf(("none", "kind")), ListOf(ListOf(Text())))]

PLAIN: Mapping[Any, Constraint] = {
    bool: Switch(),
    int: Number(-math.inf, whole=True),
    float: Number(-math.inf),
    str: Text(),
}
"""The constraint of a plain type."""


def constraint_of(hint: Any) -> Constraint | None:
    """Give the constraint that a type hint states; None where it states none."""
    if get_origin(hint) is Annotated:
        return next((note for note in get_args(hint)[1:] if hasattr(note, "holds")), None)
    if get_origin(hint) in (Union, types.UnionType):
        known = [constraint_of(part) for part in get_args(hint) if part is not types.NoneType]
        if len(known) != 1 or known[0] is None:
            return None
        return OrNull(known[0]) if types.NoneType in get_args(hint) else known[0]
    if get_origin(hint) in (Sequence, list):
        each = constraint_of(get_args(hint)[0])
        return each and ListOf(each)
    return PLAIN.get(hint) if isinstance(hint, type) else None


def choices_of(constraint: Any) -> tuple[str, ...]:
    """Give the words that a constraint allows; none where it allows other values."""
    inner = getattr(constraint, "each", getattr(constraint, "other", None))
    if inner is not None:
        return choices_of(inner)
    return ("true", "false") if isinstance(constraint, Switch) else getattr(constraint, "choices", ())


def broken(path: str, constraint: Constraint, value: Any) -> str:
    """Give the message on a value that breaks its constraint, with `Did you mean …?` for a similar word."""
    return f"`{path}` must be {constraint.description()}. Found {value!r}.{meant(constraint, value)}"


def meant(constraint: Constraint, value: Any) -> str:
    known = choices_of(constraint)
    wrong = [word for word in (value if isinstance(value, list) else [value]) if str(word) not in known]
    close = closest(str(wrong[0]), known) if wrong else None
    return f' Did you mean "{close}"?' if close else ""
