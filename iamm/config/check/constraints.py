"""The kinds of rules: what a value may be, and that in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from iamm.errors import closest


class Rule(Protocol):
    """What a value must be, and that in words."""

    def holds(self, value: Any) -> bool: ...

    def words(self) -> str: ...


HUGE = 1_000_000_000
"""Nobody means more, and no message need say so."""


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; `whole` if no fraction is allowed, `empty` if null is."""

    low: float = 0.0
    high: float = math.inf
    whole: bool = False
    empty: bool = False
    below: bool = False
    above: bool = False

    def holds(self, value: Any) -> bool:
        if value is None:
            return self.empty
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        inside = self.low <= value <= self.high and abs(value) < math.inf
        return inside and not (self.below and value == self.high) and not (self.above and value == self.low)

    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = "" if self.low == -math.inf else f" {'above' if self.above else 'at least'} {self.low:.12g}"
        high = "" if self.high in (math.inf, HUGE) else f" and {'below' if self.below else 'at most'} {self.high:.12g}"
        return f"{kind}{low}{high}{', or null' if self.empty else ''}"


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    choices: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        return value in self.choices

    def words(self) -> str:
        return "one of " + ", ".join(self.choices)


@dataclass(frozen=True)
class Switch:
    """true or false."""

    def holds(self, value: Any) -> bool:
        return isinstance(value, bool)

    def words(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text:
    """Any text; `empty` if null is allowed."""

    empty: bool = False

    def holds(self, value: Any) -> bool:
        return self.empty if value is None else isinstance(value, str) and value != ""

    def words(self) -> str:
        return f"text{', or null' if self.empty else ''}"


@dataclass(frozen=True)
class ListOf:
    """A list of `length` values (None: one at least), each as its own rule says; `different`: none twice."""

    each: Number | OneOf
    empty: bool = False
    length: int | None = None
    different: bool = False

    def holds(self, value: Any) -> bool:
        if value is None:
            return self.empty
        return isinstance(value, list) and all(self.each.holds(part) for part in value) and self.fits(value)

    def fits(self, value: list[Any]) -> bool:
        long_enough = len(value) == self.length if self.length else bool(value)
        return long_enough and not (self.different and len(set(value)) < len(value))

    def words(self) -> str:
        several = f"a list of {self.length}" if self.length else f"a list{' without repeats' * self.different}"
        return f"{several}, each of it {self.each.words()}{', or null' if self.empty else ''}"


def words_of(rule: Rule) -> tuple[str, ...]:
    """What a value may be, where that is one of some words."""
    if isinstance(rule, ListOf):
        return words_of(rule.each)
    return ("true", "false") if isinstance(rule, Switch) else getattr(rule, "choices", ())


def meant(rule: Rule, value: Any) -> str:
    """`Did you mean …?` for a word that is nearly one of the rule's."""
    known = words_of(rule)
    wrong = [word for word in (value if isinstance(value, list) else [value]) if str(word) not in known]
    close = closest(str(wrong[0]), known) if wrong else None
    return f' Did you mean "{close}"?' if close else ""
