from __future__ import annotations

import math

import pytest

from iamm.measure import LOSS, PERPLEXITY, Measure, as_json, measures_of

CALIBRATION = Measure("calibration", "raw", lower_is_better=True)


@pytest.mark.parametrize(
    ("measure", "value", "shown", "quality"),
    [
        (Measure("accuracy"), 0.8725, "87.25", 0.8725),
        (Measure("error", lower_is_better=True), 0.125, "12.50", 0.875),
        (CALIBRATION, 0.07, "0.0700", 1 / 1.07),
        (CALIBRATION, 3.0, "3.0000", 0.25),
        (CALIBRATION, 0.0, "0.0000", 1.0),
        (CALIBRATION, -0.5, "-0.5000", 1.5),
        (CALIBRATION, math.inf, "inf", 0.0),
        (Measure("likelihood", "raw"), -2.5, "-2.5000", -2.5),
    ],
)
def test_what_is_shown_and_what_is_selected_by(measure, value, shown, quality):
    assert measure.shown(value) == shown
    assert measure.quality(value) == quality


def test_the_lower_the_better_in_every_place():
    values = [-3.0, -1.0, -0.01, 0.0, 0.07, 0.070001, 1.0, 50.0, 1e9]
    qualities = [CALIBRATION.quality(value) for value in values]
    assert qualities == sorted(qualities, reverse=True)
    assert len(set(qualities)) == len(values)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match=r"`scale` must be one of percent, raw, count. Found points of f1."):
        Measure("f1", "points")


def test_measures_come_back_from_a_result():
    declared = {"a": {"calibration": CALIBRATION, "loss": LOSS}, "b": {"accuracy": Measure("accuracy")}}
    test = {"a": {"calibration": 0.07, "loss": 1.0}, "b": {"accuracy": 0.5}}
    assert measures_of({"test": test, "measures": as_json(declared)}) == declared


def test_a_result_of_release_0_1_declares_nothing():
    found = measures_of({"test": {"a": {"accuracy": 0.5, "loss": 1.0}, "b": {"bleu": 0.25, "perplexity": 9.0}}})
    assert found == {
        "a": {"accuracy": Measure("accuracy"), "loss": LOSS},
        "b": {"bleu": Measure("bleu"), "perplexity": PERPLEXITY},
    }
