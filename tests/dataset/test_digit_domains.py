from __future__ import annotations

import gzip
import lzma
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from iamm.dataset import digit_domains
from iamm.dataset.base import Dataset
from iamm.dataset.digit_domains import SCENES, DigitDomainsDataset, resized
from iamm.errors import BadDataError, MissingDataError

TESTS = 13


def idx(array: np.ndarray) -> bytes:
    code, kind = (8, "u1") if array.dtype == np.uint8 else (11, ">i2")
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, code, array.ndim)) + sizes + array.astype(kind).tobytes()


def write(folder: Path, name: str, content: bytes) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(content) if name.endswith(".xz") else gzip.compress(content, 1))


def numbered(count: int, *shape: int, dtype=np.uint8) -> np.ndarray:
    """Picture n has the value n throughout."""
    return np.broadcast_to(np.arange(count).reshape(-1, *(1 for _ in shape)), (count, *shape)).astype(dtype)


def labels(count: int) -> np.ndarray:
    return (np.arange(count) % 10).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """29 + 23 digits of each source, 19 of mnist_m, of which 5 are for test."""
    monkeypatch.setattr(digit_domains, "MNIST_M_TEST", 5)
    for split, count in (("train", 29), ("t10k", 23)):
        write(tmp_path, f"mnist/{split}-images-idx3-ubyte.gz", idx(numbered(count, 28, 28)))
        write(tmp_path, f"mnist/{split}-labels-idx1-ubyte.gz", idx(labels(count)))
    for split, count in (("train", 29), ("test", 23)):
        write(tmp_path, f"usps/usps-{split}-images-idx3-short.gz", idx(numbered(count, 16, 16, dtype=np.int16) * 50))
        write(tmp_path, f"usps/usps-{split}-labels-idx1-ubyte.gz", idx(labels(count)))
    write(tmp_path, "mnist-m/mnist-m-test-images-idx4-ubyte.xz", idx(numbered(19, 32, 32, 3) + PAINT))
    write(tmp_path, "mnist-m/mnist-m-test-labels-idx1-ubyte.gz", idx(labels(19)))
    for split, count in (("tra", 29), ("tes", 23)):
        rows = "".join(",".join([str(n % 17)] * 64 + [str(n % 10)]) + "\n" for n in range(count))
        write(tmp_path, f"optdigits/optdigits.{split}.gz", rows.encode())
    return tmp_path


PAINT = np.array((0, 100, 150), np.uint8)


def made(folder: Path, **changes) -> dict[str, Dataset]:
    datasets = DigitDomainsDataset(**{"data_dir": str(folder), "seed": 3, "validation": 4, **changes})
    return {dataset.name.removeprefix("digit_domains_"): dataset for dataset in datasets}


def values(dataset: Dataset, split: str) -> list[int]:
    """The first value of the first channel of each picture."""
    return dataset.scenes[0].splits[split].inputs["image"][:, 0, 0, 0].tolist()


@pytest.mark.parametrize(("side", "colour"), [(28, False), (32, True), (7, True)])
def test_all_scenes_have_one_size(folder, side, colour):
    found = made(folder, side=side, colour=colour)
    assert tuple(found) == SCENES
    for name, dataset in found.items():
        (scene,) = dataset.scenes
        assert (scene.name, scene.kind, scene.task) == (f"digit_domains_{name}", "image", "classification")
        assert scene.classes == tuple("0123456789")
        for split in scene.splits.values():
            assert split.inputs["image"].shape[1:] == (3 if colour else 1, side, side)
            assert split.inputs["image"].dtype == torch.uint8


def test_values_of_each_source(folder):
    found = made(folder, colour=True)
    assert values(found["usps"], "test") == [round(n * 50 * 255 / 2_000) for n in range(23)]
    assert values(found["optdigits"], "test") == [round((n % 17) * 255 / 16) for n in range(23)]
    assert sorted(values(found["mnist"], "train") + values(found["mnist"], "validation")) == list(range(29))
    first = found["mnist_m"].scenes[0].splits["test"].inputs["image"][0, :, 0, 0]
    assert (first[1:] - first[0]).tolist() == [100, 150]
    for name in ("usps", "optdigits"):
        assert found[name].scenes[0].splits["test"].targets.tolist() == labels(23).tolist()
        assert [found[name].size(split) for split in ("train", "validation", "test")] == [25, 4, 23]


def test_colours_become_grey_by_brightness(folder):
    grey = made(folder, scenes=("mnist_m",))["mnist_m"]
    classes = grey.scenes[0].splits["test"].targets.tolist()
    for value, label in zip(values(grey, "test"), classes, strict=True):
        assert (value - round(0.587 * 100 + 0.114 * 150)) % 10 == label


def test_resizing_by_hand():
    step = np.array([[[0, 100], [0, 100]]], np.uint8)
    assert resized(step, 4, colour=False)[0, 0, 0].tolist() == [0, 25, 75, 100]
    same = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    assert resized(same, 6, colour=True)[0, 2].tolist() == same[0].tolist()
    assert resized(np.full((2, 9, 9), 7, np.uint8), 4, colour=False).tolist() == np.full((2, 1, 4, 4), 7).tolist()


def test_mnist_is_not_tested_with_digits_that_mnist_m_learns_from(folder):
    found = made(folder, colour=True)
    learnt = {*values(found["mnist_m"], "train"), *values(found["mnist_m"], "validation")}
    unseen = values(found["mnist_m"], "test")
    assert len(learnt) == 14
    assert sorted(values(found["mnist"], "test")) == sorted([*unseen, 19, 20, 21, 22])
    assert found["mnist"].notices[0].startswith("digit_domains_mnist: 14 of 23 test digits are left out")
    assert values(made(folder, scenes=("mnist",))["mnist"], "test") == list(range(23))
    assert DigitDomainsDataset.made_of == {"digit_domains_mnist_m": "mnist"}


def test_a_scene_is_the_same_whatever_others_there_are(folder):
    beside = made(folder)
    for scene in ("usps", "mnist_m", "optdigits"):
        assert made(folder, scenes=(scene,))[scene].checksum() == beside[scene].checksum()
        assert made(folder, scenes=(scene,), seed=4)[scene].checksum() != beside[scene].checksum()
    assert made(folder, train=9)["usps"].size("train") == 9
    assert values(made(folder, train=9)["usps"], "train") == values(beside["usps"], "train")[:9]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenes": ("svhn",)}, "must be a list without repeats, each of them one of"),
        ({"scenes": ("usps", "usps")}, "must be a list without repeats, each of them one of"),
        ({"scenes": ()}, "must be a list without repeats, each of them one of"),
        ({"side": 0}, "`side` must be"),
        ({"validation": 29}, "must not exceed 29 in sum"),
    ],
)
def test_what_cannot_be(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        made(folder, **changes)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("optdigits/optdigits.tra.gz", b"1," * 64 + b"3\n" + b"1," * 9 + b"17,2", "'17' in line 2, column 19"),
        ("optdigits/optdigits.tes.gz", b"1," * 64 + b"10", "'10' in line 1, column 129"),
        ("optdigits/optdigits.tes.gz", b"1," * 63 + b"1", "have 64 values and a class .* Found 64 in line 1"),
        ("optdigits/optdigits.tes.gz", b"x" * 99, "Found 'xxxxxxxxxxxxxxxxxxxx' in line 1, column 1"),
        ("usps/usps-train-images-idx3-short.gz", idx(numbered(29, 3, 3)), "must begin with 00 00 0b 03"),
        ("usps/usps-test-images-idx3-short.gz", idx(numbered(23, 3, 3, dtype=np.int16) * 200), "from 0 to 2,000"),
        ("usps/usps-test-labels-idx1-ubyte.gz", idx(labels(22)), "a label for each picture"),
        ("mnist-m/mnist-m-test-images-idx4-ubyte.xz", idx(numbered(19, 4, 4, 2)), "three colours. Found"),
    ],
)
def test_files_that_are_none(folder, name, content, message):
    write(folder, name, content)
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_an_absent_file_is_named(folder):
    (folder / "optdigits/optdigits.tes.gz").unlink()
    with pytest.raises(MissingDataError, match=r"needs optdigits/optdigits\.tes\.gz"):
        made(folder)
    assert list(made(folder, scenes=("usps",))) == ["usps"]


def test_of_the_published_files():
    try:
        found = made(os.environ.get("IAMM_DATA_DIR"), validation=500, train=997)
    except MissingDataError as error:
        pytest.skip(str(error))
    assert {name: dataset.size("test") for name, dataset in found.items()} == {
        **{"mnist": 2_999, "usps": 2_007, "mnist_m": 2_000, "optdigits": 1_797},
    }
    brightness = {name: d.scenes[0].splits["train"].inputs["image"].double().mean().item() for name, d in found.items()}
    assert 30 < brightness["mnist"] < 37  # 0.1307 × 255
    assert all(20 < value < 140 for value in brightness.values())
