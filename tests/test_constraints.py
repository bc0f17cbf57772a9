"""What constraints hold and say, and that constructors keep those of their signatures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pytest

from iamm.constrained import Constrained, check_fields, conflicts
from iamm.constraints import Count, ListOf, Number, OneOf, OrNull, Share, Switch, Text, constraint_of, meant


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (Number(1, whole=True), [1, 7, np.int64(3)], [0, 1.0, True, None, "1", 10**400 * -1]),
        (Number(2, whole=True, even=True), [2, 8], [0, 3, 2.0]),
        (Number(0, 1, below=True), [0, 0.5, np.float32(0.5)], [1, -0.1, math.nan, math.inf]),
        (OrNull(Number(0, above=True)), [0.1, None], [0, -1, math.inf, math.nan]),
        (OneOf(("a", "b")), ["a"], ["c", None, ["a"], 1]),
        (Switch(), [True, False], [0, 1, "true", None]),
        (Text(), ["a"], ["", None, 3, ["a"]]),
        (OrNull(Text()), ["a", None], ["", 3]),
        (ListOf(Number(0)), [[0], [1, 2.5], (1,)], [[], None, 1, "a", [-1], [[1]], {"a": 1}]),
        (ListOf(Number(0), length=2), [[0, 1]], [[0], [0, 1, 2]]),
        (ListOf(OneOf(("a", "b")), different=True), [["a", "b"]], [["a", "a"], ["c"]]),
        (OrNull(ListOf(Number(0))), [None, [1]], [[]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_constraints_hold(rule, right, wrong):
    assert [value for value in right if not rule.holds(value)] == []
    assert [value for value in wrong if rule.holds(value)] == []


def test_what_constraints_say():
    assert Number(1, whole=True).description() == "a whole number at least 1"
    assert Number(2, 8, whole=True, even=True).description() == "an even whole number at least 2 and at most 8"
    assert OrNull(Number(0, 1, above=True)).description() == "a number above 0 and at most 1, or null"
    assert ListOf(OneOf(("a", "b")), different=True).description() == "a list without repeats, each of them one of a, b"
    assert ListOf(Number(0), length=2).description() == "a list of 2, each of them a number at least 0"


def test_a_nearly_right_word():
    assert meant(OneOf(("fp32", "bf16")), "fp23") == ' Did you mean "fp32"?'
    assert meant(Switch(), "ture") == ' Did you mean "true"?'
    assert meant(ListOf(OneOf(("image", "text"))), ["image", "txet"]) == ' Did you mean "text"?'
    assert meant(OneOf(("fp32", "bf16")), "double") == ""
    assert meant(Number(0), "abc") == ""
    assert meant(Number(0), "") == ""


@pytest.mark.parametrize(
    ("hint", "rule"),
    [
        (Count, Number(1, 1_000_000_000, whole=True)),
        (Share | None, OrNull(Number(0, 1))),
        (Sequence[Share], ListOf(Number(0, 1))),
        (list[bool] | None, OrNull(ListOf(Switch()))),
        (str, Text()),
        (int | str, None),
        (Any, None),
        (np.ndarray, None),
    ],
    ids=str,
)
def test_what_a_type_hint_states(hint, rule):
    assert constraint_of(hint) == rule


class Parent(Constrained):
    at_most = {("one", "other"): 1}  # noqa: RUF012

    def __init__(self, *, one: Share = 0.5, other: Share = 0.5) -> None:
        self.sum = one + other


class Child(Parent):
    def __init__(self, count: Count, *, way: Annotated[str, OneOf(("left", "right"))] = "left", **more: float) -> None:
        super().__init__(**more)
        self.count = count


def test_a_constructor_keeps_its_own_and_its_parents_constraints():
    assert (Child(3, one=0.25).sum, Child(count=3, way="right").count) == (0.75, 3)
    for words, line in (
        ({"count": 0}, "`count` must be a whole number at least 1. Found 0."),
        ({"count": 1, "way": "rigth"}, "`way` must be one of left, right. Found 'rigth'. Did you mean \"right\"?"),
        ({"count": 1, "other": 1.5}, "`other` must be a number at least 0 and at most 1. Found 1.5."),
        ({"count": 1, "one": 0.75}, "`one` + `other` must be at most 1. Found 1.25: lower one."),
    ):
        with pytest.raises(ValueError, match=r"must be") as error:
            Child(**words)
        assert str(error.value) == line
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'count'"):
        Child()


@dataclass(frozen=True)
class Fields:
    share: Share = 0.5

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class MoreFields(Fields):
    count: Count = 1


def test_a_dataclass_keeps_the_constraints_of_all_its_fields():
    assert MoreFields(share=1.0).count == 1
    with pytest.raises(ValueError, match=r"^`count` must be a whole number at least 1\. Found 0\.$"):
        MoreFields(count=0)
    with pytest.raises(ValueError, match=r"^`share` must be a number at least 0 and at most 1\. Found 2\.$"):
        MoreFields(share=2)


def test_arguments_that_cannot_go_together():
    stated = {
        "at_most": {("a", "b"): 10},
        "different": (("c", "d"),),
        "impossible": {"Reds have no blue": ({"c": ("red",), "d": ("blue", "navy")},)},
    }
    assert list(conflicts(stated, {"a": 4, "b": None, "c": "red", "d": "green"})) == []
    assert list(conflicts(stated, {"a": 4, "b": 7}, "x.")) == [
        ("`x.a` + `x.b` must be at most 10. Found 11: lower one.", ["a", "b"])
    ]
    assert list(conflicts(stated, {"c": "red", "d": "red"})) == [
        ("`c` and `d` must differ. Found red for both: change one.", ["c", "d"])
    ]
    assert list(conflicts(stated, {"c": "red", "d": "navy"}, "x.")) == [
        ("Reds have no blue. Found x.c=red, x.d=navy: change one.", ["c", "d"])
    ]


def test_lists_that_do_not_fit():
    stated = {"divides": {"n": "sizes"}, "one_per_scene": ("w",), "not_all_zero": ("w",)}
    assert list(conflicts(stated, {"n": 4, "sizes": [8, 12], "w": [0.0, 1.0], "scenes": 2})) == []
    assert list(conflicts(stated, {"sizes": None, "w": None, "scenes": 2})) == []
    assert list(conflicts(stated, {"n": 3, "sizes": (9, 8)}, "x.")) == [
        ("`x.n` must divide each of `x.sizes`. Found n=3, sizes=[9, 8]: change one.", ["n", "sizes"])
    ]
    assert list(conflicts(stated, {"w": [1]})) == []  # how many scenes there are is not known
    assert list(conflicts(stated, {"w": [1], "scenes": 2})) == [
        ("`w` must hold one number for each scene. Found 1 for 2: [1].", ["w"])
    ]
    assert list(conflicts(stated, {"w": [0, 0], "scenes": 2}, "x.")) == [
        ("`x.w` must have one above 0. Found [0, 0].", ["w"])
    ]


class Weighted(Constrained):
    one_per_scene = not_all_zero = ("w",)

    def __init__(self, scenes: Count, *, w: Any) -> None:
        self.w = w


def test_a_constructor_refuses_a_list_that_does_not_fit():
    assert Weighted(2, w=[0, 1]).w == [0, 1]
    for w, line in (([1], "one number for each scene. Found 1 for 2: [1]."), ([0, 0], "one above 0. Found [0, 0].")):
        with pytest.raises(ValueError, match=r"^`w` must") as error:
            Weighted(2, w=w)
        assert str(error.value).endswith(line)
