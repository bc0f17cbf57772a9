from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iamm.dataset.idx import hold_out, idx_scene, picture_split, read_idx
from iamm.errors import BadDataError, MissingDataError


def idx_bytes(array: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.astype(np.uint8).tobytes()


def write(folder, name: str, content: bytes) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(content))


def write_set(folder, train: int = 11, test: int = 5) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pictures whose every pixel is their number, 3×2 pixels, with the label number % 3."""
    arrays = {}
    for stem, numbers in (("train", np.arange(train)), ("t10k", np.arange(100, 100 + test))):
        pictures, labels = np.broadcast_to(numbers[:, None, None], (len(numbers), 3, 2)), numbers % 3
        write(folder, f"{stem}-images-idx3", idx_bytes(pictures))
        write(folder, f"{stem}-labels-idx1", idx_bytes(labels))
        arrays[stem] = pictures, labels
    return arrays


def toy(tmp_path, **changes):
    arguments = {"folder": "toy", "classes": ("a", "b", "c"), "seed": 3, "validation": 4, "train": None}
    return idx_scene("toy", data_dir=str(tmp_path), **{**arguments, **changes})


def test_worked_bytes(tmp_path):
    content = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 10, 20, 30, 40, 50, 255))
    write(tmp_path, "a", content)
    assert read_idx(str(tmp_path), "a-ubyte.gz", 3).tolist() == [[[10, 20, 30]], [[40, 50, 255]]]


def test_scene_has_each_picture_once_with_its_label(tmp_path):
    write_set(tmp_path / "toy")
    splits = toy(tmp_path).splits
    numbers = {name: split.inputs["image"][:, 0, 0, 0].tolist() for name, split in splits.items()}
    assert sorted(numbers["train"] + numbers["validation"]) == list(range(11))
    assert len(numbers["validation"]) == 4
    assert numbers["test"] == [100, 101, 102, 103, 104]
    for name, split in splits.items():
        assert split.inputs["image"].shape == (len(numbers[name]), 1, 3, 2)
        assert split.targets.tolist() == [number % 3 for number in numbers[name]]


def test_fewer_training_examples_are_the_first_and_leave_validation_alone(tmp_path):
    write_set(tmp_path / "toy")
    whole, short = toy(tmp_path).splits, toy(tmp_path, train=5).splits
    assert short["train"].inputs["image"].tolist() == whole["train"].inputs["image"][:5].tolist()
    assert short["validation"].inputs["image"].tolist() == whole["validation"].inputs["image"].tolist()


@pytest.mark.parametrize(("validation", "train"), [(11, None), (4, 8)])
def test_more_than_there_is_cannot_be_held_out(validation, train):
    with pytest.raises(ValueError, match=r"`(validation|train)"):
        hold_out(11, np.random.default_rng(0), validation, train)


HEADER = bytes((0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 5))
GOOD = HEADER + bytes(30)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (GOOD[:2], r"must begin with 00 00 08 03. Found 00 00: "),
        (b"\0\0\x0d\3" + GOOD[4:], r"must begin with 00 00 08 03. Found 00 00 0d 03: "),
        (b"\0\0\x08\1" + GOOD[4:], r"must begin with 00 00 08 03. Found 00 00 08 01: "),
        (b"\x08\0\0\3" + GOOD[4:], r"must begin with 00 00 08 03. Found 08 00 00 03: "),
        (GOOD[:15], r"must have a header of 16 bytes. Found 15: "),
        (GOOD[:-1], r"must have 46 bytes for \(2, 3, 5\). Found 45: "),
        (HEADER[:12] + bytes(4), r"must have sizes of at least 1. Found \(2, 3, 0\): "),
        (b"\x80\x05cposix\nsystem\n(S'id'\ntR.", r"must begin with 00 00 08 03. Found 80 05 63 70: "),
        (b"\x93NUMPY" + bytes(60), r"must begin with 00 00 08 03. Found 93 4e 55 4d: "),
        (GOOD + b"x", r"must have 46 bytes for \(2, 3, 5\). Found 47: "),
        (GOOD[:4] + b"\xff" * 12 + bytes(30), r"must have 79,[\d,]+ bytes for \(4294967295, .*Found 46: "),
    ],
)
def test_corrupt_files_are_refused(tmp_path, content, found):
    write(tmp_path, "a", content)
    with pytest.raises(BadDataError, match=rf"^a-ubyte\.gz {found}get it again\.$"):
        read_idx(str(tmp_path), "a-ubyte.gz", 3)


@settings(deadline=None)
@given(content=st.one_of(st.binary(max_size=60), st.binary(max_size=9).map(lambda tail: b"\0\0\x08\1\0\0\0" + tail)))
def test_what_is_read_is_what_the_header_says(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "idx"
    write(folder, "a", content)
    try:
        array = read_idx(str(folder), "a-ubyte.gz", 1)
    except BadDataError:
        sizes = int.from_bytes(content[4:8], "big")
        assert content[:4] != b"\0\0\x08\1" or len(content) <= 8 or len(content) - 8 != sizes
    else:
        assert content == idx_bytes(array)


def test_labels_out_of_range_are_refused(tmp_path):
    write_set(tmp_path / "toy")
    with pytest.raises(
        BadDataError, match=r"^toy/train-labels-idx1-ubyte\.gz must have labels from 0 to 1. Found 2 as label 3: "
    ):
        toy(tmp_path, classes=("a", "b"))


def test_pictures_of_two_sizes_are_refused(tmp_path):
    write_set(tmp_path / "toy")
    write(tmp_path / "toy", "t10k-images-idx3", idx_bytes(np.zeros((5, 2, 3))))
    found = r"Found \(3, 2\) in train, \(2, 3\) in test: get all four files again\.$"
    with pytest.raises(BadDataError, match=rf"^toy must have pictures of one size. {found}"):
        toy(tmp_path)


def test_labels_without_pictures_are_refused(tmp_path):
    write_set(tmp_path / "toy")
    write(tmp_path / "toy", "t10k-labels-idx1", idx_bytes(np.zeros(6)))
    with pytest.raises(
        BadDataError, match=r"^toy/t10k-labels-.* each picture of toy/t10k-images-.* Found 6 labels, 5 p"
    ):
        toy(tmp_path)


def test_a_set_without_test_pictures_names_the_missing_file(tmp_path):
    write_set(tmp_path / "toy")
    (tmp_path / "toy" / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(MissingDataError, match=r"needs toy/t10k-images-idx3-ubyte\.gz\. Looked in "):
        toy(tmp_path)


def test_picture_split_adds_the_channel():
    split = picture_split(np.full((7, 3, 5), 9, dtype=np.uint8), np.arange(7, dtype=np.uint8))
    assert split.inputs["image"].shape == (7, 1, 3, 5)
    assert split.targets.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert split.present.all()
