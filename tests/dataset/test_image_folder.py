"""One's own pictures in folders: classes, splits, what is left alone."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from PIL import Image

from iamm.dataset.cache import checksum
from iamm.dataset.files import recorded_files
from iamm.dataset.image_folder import ImageFolderDataset
from iamm.errors import BadDataError, MissingDataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IAMM_CACHE_DIR", str(tmp_path / "cache"))


def draw(folder, count, first=0):
    """Pictures of one grey each; 200 and above are class `light`."""
    folder.mkdir(parents=True)
    for n in range(first, first + count):
        Image.new("L", (9, 5), n).save(folder / f"{n}.png")


@pytest.fixture
def pets(tmp_path):
    draw(tmp_path / "pets" / "dark", 20)
    draw(tmp_path / "pets" / "light", 20, 200)
    return tmp_path / "pets"


def made(path, **more) -> ImageFolderDataset:
    given = {"name": "pets", "path": str(path), "seed": 3, "side": 4, "colour": False}
    return ImageFolderDataset(**{**given, **more})


def greys(dataset, split) -> list[int]:
    return dataset.scenes[0].splits[split].inputs["image"][:, 0, 0, 0].tolist()


def sizes(dataset) -> list[int]:
    return [dataset.size(split) for split in ("train", "validation", "test")]


def test_a_folder_for_each_class(pets):
    dataset = made(pets)
    (scene,) = dataset.scenes
    assert (dataset.name, scene.name, scene.kind, scene.task) == ("pets", "pets", "image", "classification")
    assert scene.classes == ("dark", "light")
    assert sizes(dataset) == [32, 4, 4]
    for split in scene.splits:
        assert scene.splits[split].targets.tolist() == [int(grey >= 200) for grey in greys(dataset, split)]
    there = sorted(grey for split in scene.splits for grey in greys(dataset, split))
    assert there == [*range(20), *range(200, 220)]
    assert Counter(scene.splits["test"].targets.tolist()) == {0: 2, 1: 2}
    assert scene.splits["train"].inputs["image"].shape == (32, 1, 4, 4)
    assert dataset.notices == ()
    assert greys(made(pets), "test") == greys(dataset, "test") != greys(made(pets, seed=4), "test")
    assert made(pets, colour=True).scenes[0].splits["train"].inputs["image"].shape == (32, 3, 4, 4)


def test_folders_of_splits(tmp_path):
    for split, first in (("train", 0), ("val", 50), ("test", 100)):
        draw(tmp_path / "a" / split / "dark", 5, first)
        draw(tmp_path / "a" / split / "light", 5, first + 150)
    dataset = made(tmp_path / "a")
    assert sizes(dataset) == [10, 10, 10]
    assert greys(dataset, "validation") == [*range(50, 55), *range(200, 205)]
    draw(tmp_path / "b" / "train" / "dark", 20)
    draw(tmp_path / "b" / "train" / "light", 20, 200)
    draw(tmp_path / "b" / "test" / "light", 3, 240)
    assert sizes(made(tmp_path / "b")) == [36, 4, 3]


def test_splits_beside_another_folder_are_no_classes(tmp_path):
    for split, first in (("train", 0), ("test", 100)):
        draw(tmp_path / "a" / split / "dark", 5, first)
        draw(tmp_path / "a" / split / "light", 5, first + 150)
    (tmp_path / "a" / "notes").mkdir()
    with pytest.raises(BadDataError, match=r"of splits with classes in them\. Found notes beside test: move one of"):
        made(tmp_path / "a")


def test_a_class_may_be_called_like_a_split(pets):
    draw(pets / "train", 5, 100)
    assert made(pets).scenes[0].classes == ("dark", "light", "train")


def test_the_same_picture_in_two_splits(tmp_path):
    for split, first in (("train", 0), ("validation", 5), ("test", 10)):
        draw(tmp_path / "a" / split / "dark", 6, first)
        draw(tmp_path / "a" / split / "light", 6, first + 200)
    dataset = made(tmp_path / "a")
    assert dataset.notices[0].startswith("pets: 4 of 36 examples also stand in a later split")
    assert sizes(dataset) == [12, 12, 12]
    dataset = made(tmp_path / "a", clean=True)
    assert sizes(dataset) == [10, 10, 12]
    assert dataset.notices == (
        "pets: 4 of 36 examples also stand in a later split (of train, validation, test) and are left out.",
    )


def test_other_files_and_a_limit(pets):
    (pets / "dark" / "notes.txt").write_text("x")
    (pets / "dark" / ".hidden.png").write_text("x")
    (pets / ".git").mkdir()
    dataset = made(pets, limit=20)
    assert dataset.notices[0] == "pets: 1 of 41 files are no pictures by their names, and left alone."
    assert sum(sizes(dataset)) == 20


def test_what_is_refused(pets, tmp_path):
    with pytest.raises(MissingDataError, match=r"`path` must name a folder\. Found no .*nowhere in "):
        made(tmp_path / "nowhere")
    with pytest.raises(BadDataError, match=r"a folder of pictures for each of two classes at least\. Found \[\]: name"):
        made(pets / "dark")
    (pets / "light" / "201.png").write_bytes(b"\x89PNG")
    with pytest.raises(BadDataError, match=r"light/201\.png must be a whole PNG, JPEG or WebP picture of one frame\."):
        made(pets)


def test_a_finished_run_knows_its_pictures(pets):
    with recorded_files() as files:
        made(pets)
    assert files == {str(pets): checksum(None, str(pets))}
    Image.new("L", (9, 5), 77).save(pets / "dark" / "3.png")
    assert files != {str(pets): checksum(None, str(pets))}


def numbered(folder, rows, header="file_name,age"):
    (folder / "metadata.csv").write_text("\n".join([header, *rows]))
    return made(folder, number="age")


def test_numbers_of_a_file_beside_the_pictures(pets):
    """Each picture's number is its grey, halved; the folders are no classes then."""
    rows = [
        f"{folder}/{n}.png,{n / 2}" for folder, first in (("dark", 0), ("light", 200)) for n in range(first, first + 20)
    ]
    dataset = numbered(pets, rows)
    (scene,) = dataset.scenes
    assert (scene.kind, scene.task, scene.classes, dataset.notices) == ("image", "regression", (), ())
    assert sizes(dataset) == [32, 4, 4]
    for split, part in scene.splits.items():
        assert part.targets.dtype == torch.float64
        assert part.targets.tolist() == [grey / 2 for grey in greys(dataset, split)]
    with recorded_files() as files:
        numbered(pets, rows)
    assert files == {str(path): checksum(None, str(path)) for path in (pets, pets / "metadata.csv")}


def test_a_picture_without_a_row_and_folders_of_splits(tmp_path):
    draw(tmp_path / "train", 20)
    draw(tmp_path / "val", 5, 100)
    draw(tmp_path / "more" / "test", 5, 200)
    rows = [f"train/{n}.png,{n}" for n in range(20)] + [f"val/{n}.png,{n}" for n in range(100, 104)]
    dataset = numbered(tmp_path, rows)
    assert dataset.notices == ("pets: 6 of 30 pictures are not in metadata.csv, and left out.",)
    assert sizes(dataset) == [18, 4, 2]
    assert greys(dataset, "validation") == dataset.scenes[0].splits["validation"].targets.tolist() == [*range(100, 104)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["dark/1.png,old"], r"numbers, of at most 1e\+30 in size, .* Found 'old' in line 2: mend it there\."),
        (["dark/1.png,1", "dark/2.png,"], r"in the column that `number` names\. Found '' in line 3: mend"),
        (["dark/99.png,1"], r"name a picture of its folder in the column file_name\. Found 'dark/99\.png' in line 2"),
        (["../pets/dark/1.png,1"], r"name a picture of its folder .* Found '\.\./pets/dark/1\.png' in line 2"),
        (["dark/1.png,1", "dark/2.png,1"], r"numbers that differ\. Found only 1 in pets/train"),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(pets, rows, message):
    with pytest.raises(BadDataError, match=message):
        numbered(pets, rows)


def test_numbers_need_their_file_and_columns(pets):
    with pytest.raises(MissingDataError, match=r"Found no .*metadata\.csv in "):
        made(pets, number="age")
    with pytest.raises(BadDataError, match=r"the column that `number` names\. Found no age in line 2\."):
        numbered(pets, ["dark/1.png,1"], header="file_name,years")
    with pytest.raises(BadDataError, match=r"the column that `file_name` names\. Found no file_name in line 2\."):
        numbered(pets, ["dark/1.png,1"], header="path,age")
