"""Which word was meant."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamm.spelling import closest, slips


@pytest.mark.parametrize(
    ("a", "b", "count"),
    [
        *(("", "", 0), ("", "abc", 3), ("epochs", "epochs", 0), ("epohcs", "epochs", 1), ("epoch", "epochs", 1)),
        *(
            ("eepochs", "epochs", 1),
            ("apochs", "epochs", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
            ("ca", "abc", 3),
        ),
    ],
)
def test_counts_worked_by_hand(a, b, count):
    assert slips(a, b) == slips(b, a) == count


@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_without_swaps_as_by_recursion(a, b, c):
    assert slips(a, b) <= max(len(a), len(b))
    assert (slips(a, b) == 0) is (a == b)
    assert slips(a + c, b + c) <= slips(a, b)


def test_the_nearest_first():
    known = ["seed", "steps", "epochs", "patience"]
    assert closest("stpes", known) == "steps"
    assert closest("epcohs", known) == "epochs"
    assert closest("batch_size", known) is None
    assert closest("multi", ["multi_head", "mixed"]) == "multi_head"
    assert closest("x", []) is None
    assert closest("", []) is None


def test_one_slip_is_always_found():
    draw = random.Random(0)
    words = ["attention", "weighting", "schedule", "interest_guidance", "convolutional", "dropout"]
    for _ in range(300):
        word = draw.choice(words)
        place = draw.randrange(len(word))
        assert closest(word[:place] + draw.choice("qxz") + word[place + 1 :], words) == word
