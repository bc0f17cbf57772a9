from __future__ import annotations

import os

import pytest
import torch

from iamm.dataset.fashion_mnist import FashionMnistDataset
from iamm.errors import MissingDataError


@pytest.fixture(scope="module")
def dataset() -> FashionMnistDataset:
    try:
        return FashionMnistDataset(data_dir=os.environ.get("IAMM_DATA_DIR"), seed=1)
    except MissingDataError as error:
        pytest.skip(str(error))


def test_sizes(dataset):
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [55_000, 5_000, 10_000]
    assert dataset.scenes[0].splits["train"].inputs["image"].shape == (55_000, 1, 28, 28)


def test_first_test_labels_are_the_published_ones(dataset):
    scene = dataset.scenes[0]
    assert scene.splits["test"].targets[:5].tolist() == [9, 2, 1, 1, 6]
    assert scene.classes[scene.splits["test"].targets[0]] == "ankle boot"


def test_each_training_picture_stands_in_one_split(dataset):
    splits = dataset.scenes[0].splits
    classes = torch.cat((splits["train"].targets, splits["validation"].targets)).bincount()
    assert classes.sum() == 60_000
    assert dataset.notices == ()


def test_absent_files_are_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"needs fashion-mnist/train-images-idx3-ubyte\.gz"):
        FashionMnistDataset(data_dir=str(tmp_path), seed=1)
