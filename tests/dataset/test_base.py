from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from iamm.dataset.base import Dataset, Scene, Split, random_generator
from iamm.dataset.digits import DigitsDataset
from iamm.dataset.fields import CLASS, PIXELS, TOKENS, Field
from iamm.dataset.overlap import row_bytes
from iamm.dataset.shapes import ShapesDataset
from iamm.errors import BadDataError


def texts(*rows: tuple[list[int], list[int]], present: list[bool] | None = None) -> Split:
    inputs, targets = (torch.tensor(side) for side in zip(*rows, strict=True))
    return Split({"text": inputs}, targets, torch.tensor(present or [True] * len(rows)))


def scene(train: Split, validation: Split, test: Split, name: str = "toy") -> Scene:
    splits = {"train": train, "validation": validation, "test": test}
    return Scene(name, "text", "generation", splits, {"text": TOKENS}, TOKENS)


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
    dataset = Dataset("toy", (scene(TRAIN, VALIDATION, absent),))  # nothing reads it yet
    dataset.require("train", "validation")
    with pytest.raises(BadDataError, match=r"A split that is read needs an example .* Found none in toy/test"):
        dataset.require("train", "test")


def test_a_split_may_be_left_out_and_another_may_be_there():
    whole = scene(TRAIN, VALIDATION, TEST)
    without = Dataset("toy", (replace(whole, splits={"train": TRAIN, "unlabelled": VALIDATION}),))
    assert without.splits() == ["train", "unlabelled"]
    assert without.size("unlabelled") == 1
    without.require("train", "unlabelled")
    with pytest.raises(BadDataError, match=r"Found none in toy/validation: give it more data."):
        without.require("validation")
    more = Dataset("toy", (replace(whole, splits={"unlabelled": VALIDATION, **whole.splits}),))
    assert more.splits() == ["train", "validation", "test", "unlabelled"]
    assert len({data.checksum() for data in (without, more, Dataset("toy", (whole,)))}) == 3


def test_checksums_are_those_of_the_last_release():
    """A run can be measured again on its own data only where its checksum is the same."""
    assert DigitsDataset(seed=3).checksum() == "19f80435aa56d45c842c5ebae990b32e7ea4f05e22027c8d0bdeac066a7a4086"
    shapes = ShapesDataset(seed=3, train=50, validation=20, test=20, missing=0.2)
    assert shapes.checksum() == "4a3075ae5af03f173bd336d678247cdf565c6db215f1d56436865dc1d34cdfd5"


def test_shared_examples_are_counted_without_the_declared_padding_alone():
    """Zeros of several labels count; behind -1 nothing does."""

    def split(history, labels):
        return Split({"history": torch.tensor([history])}, torch.tensor([labels]), torch.tensor([True]))

    splits = {"train": split([3, 0, -1], [0, 1]), "test": split([3, 0], [0, 1]), "validation": split([3, -1], [0, 1])}
    fields = {"history": Field("sequence", padding=-1)}
    dataset = Dataset("toy", (Scene("toy", "history", "labels", splits, fields, Field("numbers")),))
    assert dataset.notices == ("toy: 1 of 1 distinct test examples also stand in train.",)


def classified(labels: list[int], present: list[bool] | None = None) -> Dataset:
    """Pictures whose only pixel is their row number."""
    pixels = {"image": torch.arange(len(labels), dtype=torch.uint8).reshape(-1, 1, 1, 1)}
    train = Split(pixels, torch.tensor(labels), torch.tensor(present or [True] * len(labels)))
    splits = {"train": train, "validation": train, "test": train}
    return Dataset("toy", (Scene("toy", "image", "classification", splits, {"image": PIXELS}, CLASS, ("a", "b")),), 7)


def test_a_few_labelled_examples_are_the_first_of_more():
    labels = [0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 0]
    whole = classified(labels)
    few, more = (whole.labelled(k, seed=3).scenes[0].splits["train"] for k in (2, 4))
    assert few.targets.tolist() == [0, 1] * 2
    assert more.targets.tolist() == [0, 1] * 4
    rows = more.inputs["image"].flatten().tolist()
    assert few.inputs["image"].flatten().tolist() == rows[:4]
    assert len(set(rows)) == 8
    assert [labels[row] for row in rows] == more.targets.tolist()
    others = {
        tuple(whole.labelled(4, seed).scenes[0].splits["train"].inputs["image"].flatten().tolist()) for seed in range(5)
    }
    assert len(others) == 5


def test_a_labelled_view_keeps_all_but_the_training_examples():
    whole = classified([0, 1, 1, 0, 1, 0])
    view = whole.labelled(1, seed=0)
    assert (view.name, view.batch_size, view.size("train"), view.size("test")) == ("toy", 7, 2, 6)
    assert whole.size("train") == 6
    assert "toy: 2 of 6 distinct test examples also stand in train." in view.notices
    assert "toy: 6 of 6 distinct test examples also stand in train." not in view.notices


def test_scenes_of_a_labelled_view_stay_aligned():
    whole = ShapesDataset(seed=1, train=400, validation=5, test=5, missing=0.3)
    image, text = (scene.splits["train"] for scene in whole.labelled(3, seed=0).scenes)
    assert image.targets.tolist() == list(range(24)) * 3
    assert image.present.all()
    pairs = {
        (first.numpy().tobytes(), second.numpy().tobytes())
        for first, second in zip(*(scene.splits["train"].targets for scene in whole.scenes), strict=True)
    }
    assert all(
        (first.numpy().tobytes(), second.numpy().tobytes()) in pairs
        for first, second in zip(image.targets, text.targets, strict=True)
    )


def test_more_labelled_examples_than_there_are_are_refused():
    absent = classified([0, 1, 1, 0, 1, 0], [True, True, True, False, True, True])
    with pytest.raises(ValueError, match=r"^`shots` must not exceed .* Found shots=3, 2 of a in toy: lower it.$"):
        absent.labelled(3, seed=0)
    with pytest.raises(ValueError, match=r"`shots` must be a whole number at least 1. Found 0"):
        absent.labelled(0, seed=0)
    with pytest.raises(ValueError, match=r"`labelled` needs a scene with classes. Found none in toy"):
        Dataset("toy", (scene(TRAIN, VALIDATION, TEST),)).labelled(1, seed=0)


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
