from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from iamm.dataset.digits import DigitsDataset, stratified_rows


def test_worked_split_of_two_classes():
    # class 0 has 10 rows: 7, 1 and 2 of them; class 1 has 20: 14, 2 and 4.
    labels = np.array([0, 1, 1] * 10)
    parts = stratified_rows(labels, (0.7, 0.1), np.random.default_rng(0))
    assert [np.bincount(labels[rows]).tolist() for rows in parts] == [[7, 14], [1, 2], [2, 4]]
    assert sorted(np.concatenate(parts).tolist()) == list(range(30))


def test_every_picture_stands_in_one_split_with_its_label():
    bunch = load_digits()
    expected = sorted((picture.tolist(), label) for picture, label in zip(bunch.images, bunch.target, strict=True))
    splits = DigitsDataset(seed=3).scenes[0].splits.values()
    pictures = torch.cat([split.inputs["image"] for split in splits]).squeeze(1).double() * 16 / 255
    labels = torch.cat([split.targets for split in splits])
    pairs = zip(pictures.round().tolist(), labels.tolist(), strict=True)
    assert sorted(pairs) == expected


def test_values_are_stretched_to_bytes():
    values = torch.cat([split.inputs["image"] for split in DigitsDataset(seed=3).scenes[0].splits.values()]).unique()
    assert values.tolist() == [round(value * 255 / 16) for value in range(17)]


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.25, 0.25)])
def test_shares_hold_in_each_class(validation, test):
    splits = DigitsDataset(seed=3, validation=validation, test=test).scenes[0].splits
    whole = sum(split.targets.bincount() for split in splits.values())
    for name, share in (("validation", validation), ("test", test), ("train", 1 - validation - test)):
        assert (splits[name].targets.bincount() - share * whole).abs().max() <= 1


@pytest.mark.parametrize(("validation", "test"), [(-0.1, 0.2), (0.1, 1.2), (0.6, 0.6)])
def test_impossible_shares_are_refused(validation, test):
    with pytest.raises(ValueError, match=r"`(validation|test)` must be (a number above|at most 0\.99).* Found"):
        DigitsDataset(seed=3, validation=validation, test=test)
