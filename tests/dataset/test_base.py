from __future__ import annotations

import numpy as np
import pytest
import torch

from iamm.dataset.base import Dataset, Scene, Split, random_generator, row_bytes
from iamm.errors import BadDataError


def texts(*rows: tuple[list[int], list[int]], present: list[bool] | None = None) -> Split:
    inputs, targets = (torch.tensor(side) for side in zip(*rows, strict=True))
    return Split(inputs, targets, torch.tensor(present or [True] * len(rows)))


def scene(train: Split, validation: Split, test: Split, name: str = "toy") -> Scene:
    return Scene(name, "text", "generation", {"train": train, "validation": validation, "test": test})


TRAIN = texts(([4, 5, 0], [1, 6, 2]), ([4, 256, 0], [1, 7, 2]), ([4, 5, 6], [1, 6, 2]))
VALIDATION = texts(([8, 5], [1, 2]))
TEST = texts(([9, 5], [1, 2]), ([7, 5], [1, 2]))


def test_shared_examples_are_told_whatever_their_padding():
    longer = texts(([4, 5, 0, 0], [1, 6, 2, 0]), ([4, 256, 0, 0], [1, 6, 2, 0]), ([8, 5, 0, 0], [1, 2, 0, 0]))
    dataset = Dataset("toy", (scene(TRAIN, VALIDATION, longer),), notices=("First.",))
    assert dataset.notices == (
        "First.",
        "toy: 1 of 3 distinct test examples also stand in train.",
        "toy: 1 of 3 distinct test examples also stand in validation.",
    )


def test_absent_views_are_no_examples():
    half = texts(([4, 5], [1, 6, 2]), ([7, 5], [1, 2, 0]), present=[False, True])
    assert Dataset("toy", (scene(TRAIN, VALIDATION, half),)).notices == ()


def test_rows_end_where_the_zeros_begin():
    rows = np.array([[1, 0, 2, 0], [256, 0, 0, 0], [0, 0, 0, 0]])
    one, none, two = b"\1" + bytes(7), bytes(8), b"\2"
    assert row_bytes(rows) == [one + none + two, b"\0\1", b""]
    assert row_bytes(np.zeros((3, 0), dtype=np.int64)) == [b""] * 3
    assert row_bytes(np.array([3, 0], dtype=np.uint8)) == [b"\3", b""]


def test_checksum_sees_names_values_and_presence():
    base = Dataset("toy", (scene(TRAIN, VALIDATION, TEST),))
    absent = Split(TEST.inputs, TEST.targets, torch.tensor([True, False]))
    others = (scene(TRAIN, VALIDATION, absent), scene(TRAIN, VALIDATION, TEST, "other"), scene(TRAIN, TEST, VALIDATION))
    sums = {Dataset("toy", (one,)).checksum() for one in others}
    assert len(sums | {base.checksum()}) == 4
    assert Dataset("toy", (scene(TRAIN, VALIDATION, TEST),)).checksum() == base.checksum()


def test_a_split_without_a_present_example_is_refused():
    absent = Split(TEST.inputs, TEST.targets, torch.zeros(2, dtype=torch.bool))
    with pytest.raises(BadDataError, match=r"Found none in toy/test"):
        Dataset("toy", (scene(TRAIN, VALIDATION, absent),))


def test_scenes_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"same instances. Found in test: {'toy': 2, 'other': 1}"):
        Dataset("toy", (scene(TRAIN, VALIDATION, TEST), scene(TRAIN, VALIDATION, VALIDATION, "other")))


@pytest.mark.parametrize(("key", "value"), [("batch_size", 0), ("batch_tokens", -1), ("batch_size", 2.5)])
def test_batches_of_nothing_are_refused(key, value):
    with pytest.raises(ValueError, match=rf"`{key}` must be a whole number at least 1.* Found {value}"):
        Dataset("toy", (scene(TRAIN, VALIDATION, TEST),), **{key: value})


def test_each_purpose_has_random_numbers_of_its_own():
    draws = [random_generator(*key).random() for key in ((1, "a"), (1, "b"), (2, "a"), (1, "a", "b"), (1, "b", "a"))]
    assert len(set(draws)) == 5
    assert random_generator(1, "a").random() == draws[0]
