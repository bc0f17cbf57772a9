from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamm.table.write.axis import Axis, round_step, value_axis


def test_where_values_lie():
    """A quarter of the way from 10 to 50 is 110 of 100 to 140; downwards 50 of 60 to 20."""
    assert [Axis(10, 50, 100, 140).position(value) for value in (10, 20, 50, 20.04)] == ["100", "110", "140", "110"]
    assert [Axis(10, 50, 60, 20).position(value) for value in (10, 20, 50)] == ["60", "50", "20"]


def test_where_values_lie_by_their_ratios():
    """From 1 to 100, 10 is half of the way."""
    axis = Axis(1, 100, 0, 40, logarithmic=True)
    assert [axis.position(value) for value in (1, 10, 100)] == ["0", "20", "40"]
    assert axis.position(2) == "6"  # 40 · 0.30103 / 2


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (0, 100, 5, ["0", "20", "40", "60", "80", "100"]),
        (0, 1024, 5, ["0", "500", "1,000"]),
        (0.83, 0.91, 4, ["0.84", "0.86", "0.88", "0.90"]),
        (-0.5, 0.5, 4, ["-0.5", "0.0", "0.5"]),
        (0, 25_000, 3, ["0", "10,000", "20,000"]),
    ],
)
def test_round_ticks(low, high, most, texts):
    ticks = Axis(low, high, 0, 1).ticks(most)
    assert list(ticks.values()) == texts
    assert [float(text.replace(",", "")) for text in texts] == pytest.approx(list(ticks))


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (1.8, 9.5, 9, ["2", "3", "4", "5", "6", "7", "8", "9"]),
        (1.8, 9.5, 6, ["2", "3", "5"]),
        (0.9, 110, 8, ["1", "2", "5", "10", "20", "50", "100"]),
        (0.04, 2000, 6, ["0.1", "1", "10", "100", "1,000"]),
    ],
)
def test_round_ticks_by_ratios(low, high, most, texts):
    assert list(Axis(low, high, 0, 1, logarithmic=True).ticks(most).values()) == texts


@pytest.mark.parametrize(
    ("least", "step"), [(1, 1), (1.01, 2), (2.1, 5), (5.5, 10), (0.03, 0.05), (0.1 + 0.2, 0.5), (200, 200)]
)
def test_round_step(least, step):
    assert round_step(least) == pytest.approx(step)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_are_inside_and_not_too_many(low, width, most):
    ticks = Axis(low, low + width, 0, 1).ticks(most)
    assert len(ticks) <= most + 1
    slack = 1e-9 * (abs(low) + width)
    assert all(low - slack <= value <= low + width + slack for value in ticks)


def test_an_axis_around_values():
    """4 % of 30 to 80 are 2."""
    assert value_axis([30, 80, 55], 5, 9) == Axis(28, 82, 5, 9)
    assert value_axis([30, 80], 5, 9, ratios=True) == Axis(28, 82, 5, 9)
    assert value_axis([4.0], 5, 9) == Axis(2, 6, 5, 9)
    assert value_axis([0.0], 5, 9) == Axis(-1, 1, 5, 9)


def test_an_axis_of_ratios():
    assert value_axis([11, 100], 5, 9, ratios=True) == Axis(10, pytest.approx(110), 5, 9, logarithmic=True)
    assert not value_axis([11, 100], 5, 9).logarithmic
    assert not value_axis([0, 100], 5, 9, ratios=True).logarithmic
    assert not value_axis([20, 100], 5, 9, ratios=True).logarithmic
