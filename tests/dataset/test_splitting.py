"""Examples of one's own are divided by shares, strata and groups; what stands in two splits is counted or left out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamm.dataset.splitting import DRAWN, Unit, divided, sampled, split_named
from iamm.errors import BadDataError


def split(units, seed=0, validation=0.1, test=0.2, clean=False):
    generator = np.random.default_rng(seed)
    return divided("mine", units, validation=validation, test=test, clean=clean, generator=generator)


def unit(row, split=DRAWN, stratum="a", group=None, content=None):
    return Unit(split, stratum, row if group is None else group, row if content is None else content)


def test_each_class_has_its_share_in_each_split():
    """Of 70 a and 30 b: 49 + 7 + 14 and 21 + 3 + 6."""
    units = [unit(row, stratum="a" if row % 10 < 7 else "b") for row in range(100)]
    rows, notices = split(units)
    assert notices == []
    assert sorted(row for part in rows.values() for row in part) == list(range(100))
    counts = {name: Counter(units[row].stratum for row in part) for name, part in rows.items()}
    assert counts == {"train": {"a": 49, "b": 21}, "validation": {"a": 7, "b": 3}, "test": {"a": 14, "b": 6}}
    assert split(units)[0] == rows
    assert split(units, seed=1)[0] != rows


def test_many_small_classes_fill_every_split_and_train_has_each():
    units = [unit(row, stratum=row // 2) for row in range(100)]
    rows, _ = split(units)
    assert {units[row].stratum for row in rows["train"]} == set(range(50))
    assert [len(rows[name]) for name in ("train", "validation", "test")] == [70, 10, 20]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1, max_size=60), st.integers(0, 5))
def test_no_group_stands_in_two_splits(pairs, seed):
    units = [unit(row, stratum=stratum, group=group) for row, (stratum, group) in enumerate(pairs)]
    rows, _ = split(units, seed)
    assert sorted(row for part in rows.values() for row in part) == list(range(len(pairs)))
    groups = [{units[row].group for row in part} for part in rows.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


def test_what_is_given_stays_and_the_rest_is_drawn():
    units = [*(unit(row) for row in range(20)), *(unit(row, split="test") for row in range(20, 25))]
    rows, _ = split(units, validation=0.25, test=0.5)
    assert rows["test"] == [20, 21, 22, 23, 24]
    assert [len(rows["train"]), len(rows["validation"])] == [15, 5]
    units = [unit(row, split=("train", "validation", "test")[row % 3]) for row in range(9)]
    assert split(units)[0] == {"train": [0, 3, 6], "validation": [1, 4, 7], "test": [2, 5, 8]}


def test_what_stands_in_a_later_split_is_counted_or_left_out():
    places = ["train", "train", "train", "validation", "validation", "test"]
    units = [
        unit(row, split=place, content=content)
        for row, (place, content) in enumerate(zip(places, "xyzxww", strict=True))
    ]
    rows, notices = split(units)
    assert rows == {"train": [0, 1, 2], "validation": [3, 4], "test": [5]}
    said = "mine: 2 of 6 examples also stand in a later split (of train, validation, test)"
    assert notices == [f"{said} and stay; clean=true leaves them out."]
    rows, notices = split(units, clean=True)
    assert rows == {"train": [1, 2], "validation": [3], "test": [5]}
    assert notices == [f"{said} and are left out."]


def test_names_of_splits():
    assert [split_named("a", word, 1) for word in ("Train", "dev", "valid", "TEST", "")] == [
        *("train", "validation", "validation", "test", DRAWN)
    ]
    with pytest.raises(BadDataError, match=r"a must name one of train, validation, test .* Found 'later' in line 7"):
        split_named("a", "later", 7)


def test_a_limit_draws_each_row_alike():
    counts = Counter()
    for seed in range(2000):
        found = sampled(iter(range(7)), 3, np.random.default_rng(seed))
        assert len(set(found)) == 3
        assert found == sorted(found)
        counts.update(found)
    assert all(abs(count - 2000 * 3 / 7) < 100 for count in counts.values())  # 4.5 standard deviations
    assert sampled(iter("abc"), 5, np.random.default_rng(0)) == ["a", "b", "c"]
    assert sampled(iter("abc"), None, np.random.default_rng(0)) == ["a", "b", "c"]
