"""A drawing's axis: the positions of values along it, and the round values that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple


class Axis(NamedTuple):
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def position(self, value: float) -> str:
        """Return where a value lies, to a tenth."""
        low, high, value = map(math.log, (self.low, self.high, value)) if self.logarithmic else (*self[:2], value)
        return f"{self.start + (value - low) / (high - low) * (self.end - self.start):.1f}".removesuffix(".0")

    def ticks(self, most: int) -> dict[float, str]:
        """Return round values inside and their text: 1, 2 or 5 times a power of ten apart, or such values."""
        if self.logarithmic:
            return {value: f"{value:,g}" for value in self.powers(most)}
        step = round_step((self.high - self.low) / most)
        decimals = max(0, -math.floor(math.log10(step)))
        multiples = range(math.ceil(self.low / step), math.floor(self.high / step) + 1)
        return {multiple * step: f"{multiple * step:,.{decimals}f}" for multiple in multiples}

    def powers(self, most: int) -> list[float]:
        """Return digits times powers of ten that lie inside; fewer digits where there would be too many."""
        exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for digits in (range(1, 10), (1, 2, 3, 5), (1, 2, 5), (1,)):
            values = [float(f"{digit}e{exponent}") for exponent in exponents for digit in digits]
            inside = [value for value in values if self.low <= value <= self.high]
            if len(inside) <= most:
                break
        return inside


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is no less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def value_axis(values: Iterable[float], start: float, end: float, *, ratios: bool = False) -> Axis:
    """Return an axis with some room around all values; logarithmic for `ratios` that span a factor above 5."""
    every = list(values)
    low, high = min(every), max(every)
    if ratios and low > 0 and high / low > 5:
        return Axis(low / 1.1, high * 1.1, start, end, logarithmic=True)
    room = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
    return Axis(low - room, high + room, start, end)
