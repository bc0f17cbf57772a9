from __future__ import annotations

import lzma
import os
from pathlib import Path

import numpy as np
import pytest

from iamm.dataset.cifar10 import CLASSES, FILES, FOLDER, LARGEST, RECORD, Cifar10Dataset, read_batch
from iamm.errors import BadDataError, MissingDataError

STEMS = (*FILES["train"], *FILES["test"])


def batch(number: int, count: int = 7) -> bytes:
    """Picture n of a file: class n, red 10 · number + n, green 100, blue 200."""
    records = np.empty((count, RECORD), np.uint8)
    records[:, 0] = np.arange(count)
    records[:, 1:1025] = (10 * number + np.arange(count))[:, None]
    records[:, 1025:2049], records[:, 2049:] = 100, 200
    return records.tobytes()


def write(folder: Path, stem: str, content: bytes, packed: bool = True) -> None:
    path = folder / FOLDER / f"{stem}.bin{'.xz' * packed}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(content, preset=0) if packed else content)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("IAMM_CACHE_DIR", str(tmp_path / "cache"))
    for number, stem in enumerate(STEMS):
        write(tmp_path, stem, batch(number), packed=number % 2 == 0)
    return tmp_path


def made(folder: Path, **changes) -> Cifar10Dataset:
    return Cifar10Dataset(**{"data_dir": str(folder), "seed": 3, "validation": 6, **changes})


def test_values(folder):
    dataset = made(folder)
    (scene,) = dataset.scenes
    assert (scene.name, scene.kind, scene.task, scene.classes) == ("cifar10", "image", "classification", CLASSES)
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [29, 6, 7]
    test = scene.splits["test"]
    assert test.inputs["image"].shape == (7, 3, 32, 32)
    assert test.inputs["image"][:, 0, 31, 31].tolist() == [50 + n for n in range(7)]
    assert test.inputs["image"][:, 1:].flatten(2).unique(dim=2).tolist() == [[[100], [200]]] * 7
    assert test.targets.tolist() == list(range(7))
    reds = [
        *scene.splits["train"].inputs["image"][:, 0, 0, 0].tolist(),
        *scene.splits["validation"].inputs["image"][:, 0, 0, 0].tolist(),
    ]
    assert sorted(reds) == [10 * number + n for number in range(5) for n in range(7)]
    labels = scene.splits["train"].targets.tolist()
    assert [red % 10 for red in reds[:29]] == labels


def test_seeds_and_limits(folder):
    assert made(folder, train=4).size("train") == 4
    assert made(folder).checksum() == made(folder).checksum() != made(folder, seed=4).checksum()
    with pytest.raises(ValueError, match=r"must not exceed 35 in sum. Found 36"):
        made(folder, validation=35)


def test_a_packed_file_is_unpacked_once(folder, monkeypatch):
    checksum = made(folder).checksum()
    kept = list((folder / "cache").iterdir())
    assert len(kept) == 3
    assert {path.stat().st_size for path in kept} == {32 + 7 * RECORD}
    monkeypatch.setattr("iamm.dataset.cache.read_packed", None)
    assert made(folder).checksum() == checksum


@pytest.mark.parametrize("change", ["damaged", "cut", "empty", "folder"])
def test_a_damaged_entry_is_replaced_or_passed_over(folder, change):
    checksum = made(folder).checksum()
    for path in (folder / "cache").iterdir():
        content = path.read_bytes()
        if change == "folder":
            path.unlink()
            path.mkdir()
        else:
            path.write_bytes({"damaged": content[:-9] + b"x" * 9, "cut": content[:-1], "empty": b""}[change])
    assert made(folder).checksum() == checksum
    if change != "folder":
        assert {path.stat().st_size for path in (folder / "cache").iterdir()} == {32 + 7 * RECORD}


def test_another_file_has_another_entry(folder):
    before = made(folder).checksum()
    write(folder, "data_batch_1", batch(9))
    assert made(folder).checksum() != before
    assert len(list((folder / "cache").iterdir())) == 4


def test_a_cache_that_cannot_be_written_is_done_without(folder, monkeypatch):
    (folder / "taken").write_text("a file")
    monkeypatch.setenv("IAMM_CACHE_DIR", str(folder / "taken"))
    assert made(folder).size("test") == 7


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (batch(0)[:-1], r"must have 3,073 bytes for each picture. Found 21,510 bytes"),
        (batch(0)[:RECORD] + b"\x0a" + bytes(RECORD - 1), "must have classes from 0 to 9. Found 10 in picture 2"),
        (bytes(LARGEST + 1), "more than 30,730,000 bytes|at most 30,730,000 bytes"),
        (b"", "nothing in it|Found 0 bytes"),
    ],
)
def test_files_that_are_none(folder, content, message, packed):
    stem = "test_batch"
    (folder / FOLDER / f"{stem}.bin").unlink()
    write(folder, stem, content, packed)
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_an_absent_file_is_named(folder):
    (folder / FOLDER / "data_batch_3.bin.xz").unlink()
    with pytest.raises(MissingDataError, match=r"needs cifar-10/cifar-10-batches-bin/data_batch_3\.bin\.xz"):
        made(folder)


def test_of_the_published_files():
    try:
        records = read_batch(os.environ.get("IAMM_DATA_DIR"), "test_batch")
    except MissingDataError as error:
        pytest.skip(str(error))
    assert np.bincount(records[:, 0]).tolist() == [1_000] * 10
    assert [CLASSES[label] for label in records[:4, 0]] == ["cat", "ship", "ship", "airplane"]
