"""Scenes that a column names."""

from __future__ import annotations

import pytest

from iamm.dataset.own import MOST_SCENES, chosen_scenes
from iamm.errors import BadDataError


def test_all_by_the_alphabet_or_those_that_are_named():
    there = {"dvd", "books", "Home & Garden"}
    assert chosen_scenes("a.csv", there, None) == ["Home & Garden", "books", "dvd"]
    assert chosen_scenes("a.csv", there, ["dvd", "books"]) == ["dvd", "books"]
    with pytest.raises(ValueError, match=r"must be values of their column in a\.csv\. Found book\. Did you mean"):
        chosen_scenes("a.csv", there, ["book"])


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"`scenes` needs the column that `scene` names\. Found none: add scene="):
        chosen_scenes("a.csv", {""}, ["books"])
    with pytest.raises(BadDataError, match=r"Scenes must differ in .*\. Found 'a b' and 'a&b' in a\.csv"):
        chosen_scenes("a.csv", {"a b", "a&b"}, None)
    many = {str(number) for number in range(MOST_SCENES + 1)}
    with pytest.raises(BadDataError, match=r"at most 200 scenes of one file\. Found 201 in a\.csv"):
        chosen_scenes("a.csv", many, None)
    assert chosen_scenes("a.csv", many, ["7"]) == ["7"]
