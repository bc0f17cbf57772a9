from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest

from iamm.measure import Measure
from iamm.table.plan import Column
from iamm.table.statistics import estimate
from iamm.table.table import TableCell
from iamm.table.write.axis import Axis
from iamm.table.write.html import templates
from iamm.table.write.html_curves import Chart, Line, Subject, axes

SEEDS = {"seed 0": [(10, 20.0), (20, 40.0)], "seed 1": [(10, 40.0), (20, 60.0)]}
BAND = [(10, 30.0, 20.0, 40.0), (20, 50.0, 40.0, 60.0)]
CORNERS = [(20, 0.0), (20, 100.0)]
"""With 4 % of room the vertical axis holds −4 to 104, from 224 up to 8; the horizontal one 0 to 20, from 46 to 246."""


def draw(*lines, points=CORNERS, lower_is_better=False):
    measure = Measure("share & more", "raw", lower_is_better)
    subject = Subject("val/x", measure, False, (Column("x", measure.name, "a", "both", declared=measure),))
    corners = Line("corners", 0, {"": points}, frozenset(), [])
    chart = Chart("<all>", "", *axes(subject, [corners], (256, 260)), lines)
    return ElementTree.fromstring(macro("curves")(chart))


def macro(name):
    return getattr(templates().get_template("drawing.html.j2").module, name)


def paths(drawing, kind):
    return [part.get("d") for part in drawing.iter("path") if part.get("class") == kind]


def place(step, value):
    """46 + 200 · step / 20 and 224 − 216 · (value + 4) / 108."""
    return f"{46 + 10 * step:g} {216 - 2 * value:g}"


def test_places_of_curves_mean_and_band():
    drawing = draw(Line("ours", 0, SEEDS, frozenset(SEEDS), BAND))
    assert paths(drawing, "seed") == [
        f"M{place(10, 20)}L{place(20, 40)}",
        f"M{place(10, 40)}L{place(20, 60)}",
    ]
    assert paths(drawing, "mean") == [f"M{place(10, 30)}L{place(20, 50)}"]
    corners = [place(10, 20), place(20, 40), place(20, 60), place(10, 40)]
    assert paths(drawing, "band") == [f"M{'L'.join(corners)}Z"]
    assert [(dot.get("cx"), dot.get("cy")) for dot in drawing.iter("circle")] == [("246", "116")]


def test_who_is_who():
    drawing = draw(
        Line("rival <1>", 1, {"seed 0": SEEDS["seed 0"]}, frozenset(), []),
        Line("ours", 0, SEEDS, frozenset(SEEDS), BAND),
    )
    groups = [part.get("class") for part in drawing.iter("g")]
    assert groups == ["line0", "line1", "line0", "line0"]  # all bands, all seeds, all means; ours on top
    assert [title.text for title in drawing.iter("title")] == [
        "rival <1>, seed 0",
        "ours, seed 0",
        "ours, seed 1",
        "ours, mean",
        "ours, mean",
    ]
    assert paths(drawing, "seed unfinished") == [f"M{place(10, 20)}L{place(20, 40)}"]
    assert drawing.get("aria-label") == "<all>"


def test_one_seed_has_no_band_and_an_unfinished_one_no_mean():
    one = {"seed 0": SEEDS["seed 0"]}
    assert paths(draw(Line("ours", 0, one, frozenset(one), [(10, 20.0, 20.0, 20.0)])), "band") == []
    unfinished = draw(Line("ours", 0, {"seed 0": SEEDS["seed 0"], "seed 1": []}, frozenset(), []))
    assert paths(unfinished, "mean") == paths(unfinished, "seed") == []
    assert len(paths(unfinished, "seed unfinished")) == 1


def test_ticks_and_labels():
    texts = [part.text for part in draw(Line("ours", 0, SEEDS, frozenset(SEEDS), BAND)).iter("text")]
    assert texts == ["0", "50", "100", "0", "10", "20", "training step", "share & more"]
    line = Line("ours", 0, SEEDS, frozenset(SEEDS), BAND)
    logarithmic = draw(line, points=[(20, 1.0), (20, 100.0)], lower_is_better=True)
    assert "share & more, logarithmic" in [part.text for part in logarithmic.iter("text")]


def cell(values, claim=None):
    by_seed = dict(enumerate(values))
    return TableCell(by_seed, estimate(values) if values else None, None, claim, 0, 0)


AXIS = Axis(0, 100, 0, 100)


def test_places_of_an_interval():
    """58, 60, 62: mean 60, deviation 2, and half of the interval is t(0.975, 2) · 2 / √3 = 4.3027 · 1.1547 = 4.968."""
    drawing = ElementTree.fromstring(macro("interval")(cell([58.0, 60.0, 62.0], 71.5), AXIS, 50.0))
    assert paths(drawing, "interval") == ["M55 5H65"]
    assert paths(drawing, "reference") == ["M50 0V15"]
    assert paths(drawing, "claim")[0].startswith("M71.5 1l")
    dots = [(dot.get("class"), dot.get("cx")) for dot in drawing.iter("circle")]
    assert dots == [("dot", "58"), ("dot", "60"), ("dot", "62"), ("point", "60")]
    assert drawing.get("aria-hidden") == "true"


@pytest.mark.parametrize(
    ("values", "dots"), [([], []), ([40.0], ["40", "40"]), ([math.nan], []), ([math.inf, 40.0], ["40"])]
)
def test_what_cannot_be_drawn_is_left_out(values, dots):
    text = macro("interval")(cell(values), AXIS, None)
    drawing = ElementTree.fromstring(text)
    assert [dot.get("cx") for dot in drawing.iter("circle")] == dots
    assert paths(drawing, "interval") == paths(drawing, "claim") == paths(drawing, "reference") == []
    assert not re.search("nan|inf", text)
