from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from iamm.dataset.amazon_sequences import FILES, AmazonSequencesDataset, read_sequences
from iamm.dataset.base import Dataset
from iamm.errors import BadDataError, MissingDataError

LINES = ("7 30 10 20 40", "2 10 30", "5 20 30 10", "6 10")


def write(folder: Path, scene: str, *lines: str) -> None:
    path = folder / "amazon-sequences" / f"{FILES[scene]}.txt.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


@pytest.fixture
def folder(tmp_path) -> Path:
    for number, scene in enumerate(FILES):
        write(tmp_path, scene, *LINES, f"9 1{number} 2{number} 3{number}")
    return tmp_path


def made(folder: Path, **changes) -> list[Dataset]:
    given = {"data_dir": str(folder), "seed": 3, "scenes": ("beauty",), "negatives": 0, "candidates": 0}
    return AmazonSequencesDataset(**{**given, **changes})


def test_by_hand(folder):
    log, items = read_sequences(str(folder), "beauty")
    assert log.user.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 4, 4]
    assert [items[number] for number in log.item[:6]] == ["30", "10", "20", "40", "10", "30"]
    (dataset,) = made(folder)
    scene = dataset.scenes[0]
    assert (dataset.name, scene.kind, scene.task) == ("amazon_sequences_beauty", "behaviour", "ranking")
    pieces = {split: part.inputs["candidate"].tolist() for split, part in scene.splits.items()}
    pieces = {split: [scene.source.piece(index) for index in ids] for split, ids in pieces.items()}
    assert pieces == {"train": ["10", "30"], "validation": ["20", "30", "20"], "test": ["<unk>", "10", "30"]}
    assert set(scene.fields) == {"history", "candidate", "user"}


def test_each_domain_has_items_of_its_own(folder):
    beauty, toys = made(folder, scenes=("beauty", "toys"))
    assert beauty.scenes[0].source is not toys.scenes[0].source
    alone = made(folder, scenes=("toys",))[0]
    assert alone.checksum() == toys.checksum()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("1 10 20", "2"), "have a user and items in each line, with blanks between. Found '2' in line 2, column 1"),
        (("1 10\t20",), "in line 1"),
        (("1 10 -20",), "in line 1"),
        (("1 10", "", "2 20"), "Found '' in line 2"),
        (("1 10", "1 20"), "must have each user once. Found one twice"),
    ],
)
def test_lines_that_are_none(folder, lines, message):
    write(folder, "beauty", *lines)
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_an_unknown_scene_and_an_absent_file(folder):
    with pytest.raises(ValueError, match=r"each of them one of beauty, sports, toys\. Found \('toy',\)"):
        made(folder, scenes=("toy",))
    (folder / "amazon-sequences" / "Beauty.txt.gz").unlink()
    with pytest.raises(MissingDataError, match=r"needs amazon-sequences/Beauty\.txt\.gz"):
        made(folder)


def test_of_the_published_files():
    found = {}
    try:
        for scene in FILES:
            log, items = read_sequences(os.environ.get("IAMM_DATA_DIR"), scene)
            found[scene] = (int(log.user.max()) + 1, len(items), len(log.item))
    except MissingDataError as error:
        pytest.skip(str(error))
    expected = {"beauty": (22_363, 12_101, 198_502), "sports": (35_598, 18_357, 296_337)}
    assert found == {**expected, "toys": (19_412, 11_924, 167_597)}
