from __future__ import annotations

import lzma
import os
from collections import Counter
from pathlib import Path

import pytest
import torch

from iamm.dataset.base import Dataset
from iamm.dataset.fdu_mtl import SCENES, FduMtlDataset, file_of, read_reviews
from iamm.dataset.overlap import signs_of
from iamm.errors import BadDataError, MissingDataError

WORDS = ("dull", "great")


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(text.encode()))


def invented(scene: str, split: str, count: int) -> str:
    rows = [f"{n % 2}\ta {WORDS[n % 2]} {scene} of {split} number {n}" for n in range(count)]
    return "".join(f"{row}\n" for row in rows)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Every scene has 7 + 5 reviews; books also have two in train that stand in a test split, and an empty one."""
    for scene in SCENES:
        more = (
            "1\tA great BOOKS: of test number 1!!\n0\ta dull dvd of test number 2\n1\t \n" if scene == "books" else ""
        )
        write(tmp_path, file_of(scene, "train"), invented(scene, "train", 7) + more)
        write(tmp_path, file_of(scene, "test"), invented(scene, "test", 5))
        write(tmp_path, file_of(scene, "unlabelled"), f'It\'s a "new" {scene}.\nA dull dvd of test, number 2.\n')
    return tmp_path


def made(folder: Path, **changes) -> list[Dataset]:
    given = {"data_dir": str(folder), "seed": 3, "scenes": ("books", "mr"), "validation": 2, "min_count": 1}
    return FduMtlDataset(**{**given, **changes})


def texts(dataset: Dataset, split: str) -> list[str]:
    scene = dataset.scenes[0]
    return [scene.source.decode(row) for row in scene.splits[split].inputs["text"].tolist()]


def test_files_are_those_of_the_publication():
    assert file_of("mr", "unlabelled") == "fdu-mtl/MR.task.unlabel.xz"
    assert file_of("camera_photo", "test") == "fdu-mtl/camera_photo.task.test.xz"


def test_each_scene_is_a_data_set(folder):
    books, mr = made(folder)
    assert [books.name, mr.name] == ["fdu_mtl_books", "fdu_mtl_mr"]
    scene = books.scenes[0]
    assert (scene.name, scene.kind, scene.task) == ("fdu_mtl_books", "text", "classification")
    assert scene.classes == ("negative", "positive")
    assert scene.source is mr.scenes[0].source
    known = {*" ".join(texts(books, "train") + texts(mr, "train")).split()}
    written = [f"a {WORDS[n % 2]} books of test number {n}" for n in range(5)]
    assert texts(books, "test") == [
        " ".join(word if word in known else "⁇" for word in text.split()) for text in written
    ]
    assert scene.splits["test"].targets.tolist() == [0, 1, 0, 1, 0]
    held_out = {*range(7)} - {int(text.split()[-1]) for text in texts(books, "train")}
    assert set(texts(books, "train")) == {
        f"a {WORDS[n % 2]} books of train number {n}" for n in range(7) if n not in held_out
    }
    assert sorted(scene.splits["validation"].targets.tolist()) == sorted(n % 2 for n in held_out)
    assert [books.size(split) for split in ("train", "validation", "test")] == [5, 2, 5]
    assert set(scene.splits) == {"train", "validation", "test"}


def test_rows_of_a_test_split_are_left_out_with_a_notice(folder):
    assert made(folder)[0].notices == (
        "fdu_mtl: 1 of 27 reviews have no text and are left out.",
        "fdu_mtl: 2 of 16 train reviews stand verbatim in a test split and are left out; clean=false keeps them, as "
        "they were published.",
    )
    books = made(folder, clean=False)[0]
    assert books.size("train") == 7
    assert not any("verbatim" in notice for notice in books.notices)
    for gone in ("a great books", "a dull dvd"):
        assert not any(text.startswith(gone) and "test" in text for text in texts(made(folder)[0], "train"))


def test_no_validation_review_stands_in_train(folder):
    """Each of four reviews of films stands three times, written in other ways; what is held out has an unknown end."""
    rows = [f"1\tA great film {n}\n1\ta GREAT , film {n}\n1\ta great - film {n}\n" for n in range(10, 14)]
    write(folder, file_of("mr", "train"), "".join(rows))
    for seed in range(5):
        books, mr = made(folder, seed=seed)
        assert [text.split()[-1] for text in texts(mr, "validation")] == ["⁇", "⁇"]
        trained = Counter(text.split()[-1] for text in texts(mr, "train"))
        assert trained.keys() < {"10", "11", "12", "13"}
        assert {*trained.values()} == {3}
        rule = "train reviews stand verbatim in their scene's validation split and are left out."
        assert f"fdu_mtl: {10 - mr.size('train')} {rule}" in books.notices
    assert made(folder, clean=False)[1].size("train") == 10
    with pytest.raises(ValueError, match=r"`train` must not exceed [69]\. Found 10"):
        made(folder, train=10, scenes=("mr",))


def test_a_scene_is_the_same_whatever_others_there_are(folder):
    alone, beside = made(folder, scenes=("books",))[0], made(folder, scenes=SCENES)[2]
    assert alone.name == beside.name
    assert texts(alone, "train") == texts(beside, "train")


def test_unlabelled_reviews_are_a_fourth_split(folder):
    books = made(folder, unlabelled=True)[0]
    assert texts(books, "unlabelled") == ["⁇ ⁇ a ⁇ ⁇ ⁇ books ⁇"]
    assert books.notices[2].startswith("fdu_mtl: 2 of 4 unlabelled reviews stand verbatim in a test split")


def test_letters_and_digits_make_a_review():
    assert signs_of("It 's , a_B 2 !\x85") == "itsab2"


def test_numbers(folder):
    dataset = made(folder, max_length=3, train=4, validation=3)[1]
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [4, 3, 5]
    assert dataset.scenes[0].splits["test"].inputs["text"].shape == (5, 3)
    assert "fdu_mtl: 24 of 24 texts are cut to their first 3 words." in made(folder, max_length=3)[0].notices
    counts = made(folder, min_count=10)[0].scenes[0].source
    assert counts.pieces[4:] == ("a", "number", "of", "train")
    assert made(folder, seed=4)[0].checksum() != made(folder)[0].checksum() == made(folder)[0].checksum()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenes": ("boks",)}, "must be a list without repeats, each of them one of apparel, .* Found \\('boks',\\)"),
        ({"scenes": ("mr", "mr")}, "must be a list without repeats, each of them one of"),
        ({"scenes": ()}, "must be a list without repeats, each of them one of"),
        ({"validation": 7}, "must not exceed 7 in sum. Found 8"),
        ({"max_length": 0}, "`max_length` must be"),
        ({"min_count": 0}, "`min_count` must be"),
    ],
)
def test_what_cannot_be(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        made(folder, **changes)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2\tfine", r"have a class, 0 or 1, and a tab before each review. Found '2\\tfine' in line 8, column 1"),
        ("1 fine", "Found '1 fine' in line 8, column 1"),
        ("1\ta\x07b", r"without control characters. Found U\+0007 in line 8, column 4"),
        ("1\t" + "a" * 50_000, "at most 50,000 characters in a line. Found 50,002 in line 8"),
    ],
)
def test_rows_that_are_none(folder, row, message):
    write(folder, file_of("mr", "train"), invented("mr", "train", 7) + row)
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_marks_in_published_reviews_end_no_line(folder):
    write(folder, file_of("mr", "train"), "1\tso\x85good \ufeff\ufffd\n0\tbad\u2028\n")
    assert [row.text for row in read_reviews(str(folder), "mr", "train")] == ["so\x85good \ufeff\ufffd", "bad\u2028"]


def test_an_absent_file_is_named(folder):
    (folder / file_of("video", "test")).unlink()
    with pytest.raises(MissingDataError, match=r"needs fdu-mtl/video\.task\.test\.xz"):
        made(folder)
    assert made(folder, clean=False)


@pytest.fixture(scope="module")
def published() -> list[Dataset]:
    try:
        return FduMtlDataset(data_dir=os.environ.get("IAMM_DATA_DIR"), seed=1, unlabelled=True)
    except MissingDataError as error:
        pytest.skip(str(error))


def test_of_the_published_files(published):
    assert [dataset.name for dataset in published] == [f"fdu_mtl_{scene}" for scene in SCENES]
    told = " ".join(published[0].notices)
    assert "729 of 25,379 train reviews" in told
    assert "532 of 30,475 unlabelled reviews" in told
    sizes = {split: sum(len(d.scenes[0].splits[split]) for d in published) for split in published[0].scenes[0].splits}
    assert sizes == {"train": 24_650 - 16 * 200 - 257, "test": 6_400, "unlabelled": 30_475 - 532, "validation": 3_200}
    assert {dataset.size("test") for dataset in published} == {400}
    for dataset in published:
        assert 0.4 < dataset.scenes[0].splits["train"].targets.double().mean() < 0.6


def test_the_published_split_shares_560_test_reviews():
    data_dir = os.environ.get("IAMM_DATA_DIR")
    try:
        reviews = {split: [read_reviews(data_dir, scene, split) for scene in SCENES] for split in ("train", "test")}
    except MissingDataError as error:
        pytest.skip(str(error))
    train = {signs_of(row.text) for rows in reviews["train"] for row in rows}
    assert sum(signs_of(row.text) in train for rows in reviews["test"] for row in rows) == 560
    words = Counter(len(rows) for rows in reviews["train"])
    assert words == {1_600: 11, 1_597: 1, 1_598: 1, 1_570: 1, 1_515: 1, 1_500: 1}


def test_published_targets_and_ids(published):
    for dataset in published:
        for split in dataset.scenes[0].splits.values():
            assert split.inputs["text"].shape[1] <= 256
            assert bool((split.inputs["text"][:, 0] > 0).all())
            assert split.targets.dtype == torch.int64
