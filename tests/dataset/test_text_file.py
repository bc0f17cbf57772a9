"""One's own texts: columns, scenes, labels as names, splits."""

from __future__ import annotations

import csv

import pytest
import torch

from iamm.config.check.scenes import StatedScene, scenes_of
from iamm.dataset.base import Dataset
from iamm.dataset.fields import NUMBER
from iamm.dataset.text_file import TextFileDataset
from iamm.errors import BadDataError

COUNT = 40


def write(path, rows) -> str:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


@pytest.fixture
def path(tmp_path) -> str:
    """40 texts about two things, half of them good, each written by one of five people."""
    rows = [["body", "stars", "product", "user", "part"]]
    for n in range(COUNT):
        good, thing = n % 2, ("Home & Garden", "books")[n // 2 % 2]
        text = f'A {"good" if good else "bad"} one,\nsaid "{n}".'
        rows.append([text, "10" if good else "9", thing, f"u{n // 4 % 5}", ("train", "dev", "test")[n // 4 % 3]])
    return write(tmp_path / "reviews.csv", rows)


def made(path: str, **more) -> list[Dataset]:
    given = {"name": "mine", "path": path, "seed": 3, "text": "body", "label": "stars", "min_count": 1}
    return TextFileDataset(**{**given, **more})


def texts(dataset: Dataset, split: str) -> list[str]:
    (scene,) = dataset.scenes
    return [scene.source.decode(row) for row in scene.splits[split].inputs["text"].tolist()]


def test_one_scene(path):
    (dataset,) = made(path)
    (scene,) = dataset.scenes
    assert (dataset.name, scene.name, scene.kind, scene.task) == ("mine", "mine", "text", "classification")
    assert scene.classes == ("9", "10")  # numbers by their size
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [32, 4, 4]
    for split in scene.splits:
        words = [text.split()[:3] for text in texts(dataset, split)]
        assert words == [["a", ("bad", "good")[label], "one"] for label in scene.splits[split].targets.tolist()]
    assert texts(dataset, "test")[0].split()[3:] == [",", "said", '"', "⁇", '"', "."]
    assert not any("later split" in notice for notice in dataset.notices)


def test_a_scene_for_each_value_of_a_column(path):
    garden, books = made(path, scene="product")
    assert [garden.name, books.name] == ["mine_Home_Garden", "mine_books"]
    assert garden.scenes[0].source is books.scenes[0].source
    assert garden.size("train") + garden.size("validation") + garden.size("test") == COUNT // 2
    (alone,) = made(path, scene="product", scenes=["books"])
    assert alone.name == "mine_books"
    assert [alone.size(split) for split in alone.splits()] == [books.size(split) for split in books.splits()]
    with pytest.raises(ValueError, match=r"`scenes` must be values .* Found book\. Did you mean \"books\"\?"):
        made(path, scene="product", scenes=["book"])


def test_splits_by_a_column_by_files_and_by_a_group(path, tmp_path):
    (dataset,) = made(path, split="part")
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [16, 12, 12]
    rows = [["body", "stars"], *([f"other {n} of {n}", "9"] for n in range(5))]
    (dataset,) = made(path, test_path=write(tmp_path / "test.csv", rows))
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [36, 4, 5]
    (dataset,) = made(path, group="user", validation=0.2, test=0.2)
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [24, 8, 8]


def test_what_stands_in_two_given_splits(tmp_path):
    rows = [[f"text {n}", "ab"[n % 2], "train"] for n in range(8)]
    rows += [["Text 1!", "b", "validation"], ["other", "a", "validation"], ["TEXT, 2", "a", "test"], ["x", "b", "test"]]
    path = write(tmp_path / "a.csv", [["body", "stars", "part"], *rows])
    (dataset,) = made(path, split="part")
    assert dataset.size("train") == 8
    assert dataset.notices[0] == (
        "mine: 2 of 12 examples also stand in a later split (of train, validation, test) and stay; clean=true leaves "
        "them out."
    )
    (dataset,) = made(path, split="part", clean=True)
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [6, 2, 2]
    assert [text.split()[1] for text in texts(dataset, "train")] == ["0", "3", "4", "5", "6", "7"]


def test_the_same_text_is_drawn_into_one_split(tmp_path):
    rows = [[f"text {n // 4}", "ab"[n // 4 % 2]] for n in range(80)]
    (dataset,) = made(write(tmp_path / "a.csv", [["body", "stars"], *rows]))
    assert dataset.size("train") == 64
    assert not any("later split" in notice for notice in dataset.notices)


def test_rows_that_lack_something_are_counted(tmp_path):
    rows = [[f"text {n}", "ab"[n % 2]] for n in range(30)]
    rows[3][0], rows[4][1] = "  ", ""
    (dataset,) = made(write(tmp_path / "a.csv", [["body", "stars"], *rows]))
    assert dataset.notices[0] == "mine: 2 of 30 rows lack a text, a label or a scene and are left out."
    with pytest.raises(BadDataError, match="mine must have rows with a text and a label"):
        made(write(tmp_path / "b.csv", [["body", "stars"], ["", ""]]))


def test_pieces_of_words_and_a_limit(path):
    (dataset,) = made(path, subwords=60, max_length=5)
    assert "▁" in dataset.scenes[0].source.piece(4) or len(dataset.scenes[0].source) <= 60
    assert dataset.notices[0].startswith("mine: 40 of 40 texts are cut to their first 5 pieces.")
    (dataset,) = made(path, limit=20)
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [16, 2, 2]


def test_what_is_no_classification(path):
    with pytest.raises(BadDataError, match=r"2 to 10,000 labels\. Found 1 in mine, 'a' among them"):
        made(write(path, [["body", "stars"], ["x", "a"], ["y", "a"]]))
    with pytest.raises(ValueError, match=r"`validation` \+ `test` must be at most 0\.9"):
        made(path, validation=0.5, test=0.5)


def test_more_than_memory_holds_is_refused_before_it_is_read(path, monkeypatch):
    monkeypatch.setattr("iamm.memory.available_memory", lambda: 10_000)
    said = r"must fit into memory\. Found .*reviews\.csv, which takes 0 MiB of 0 MiB: take some rows with limit="
    with pytest.raises(BadDataError, match=said):
        made(path)
    assert made(path, limit=20)[0].size("train") == 16


def test_a_scene_that_clean_leaves_empty(tmp_path):
    """Both texts of b also stand in test, among those of a."""
    parts = ("train", "train", "validation", "validation", "test", "test")
    rows = [[f"text {n}", str(n % 2), "a", part] for n, part in enumerate(parts)]
    rows += [[f"text {n}", str(n % 2), "b", "train"] for n in (4, 5)]
    path = write(tmp_path / "a.csv", [["body", "stars", "shop", "part"], *rows])
    with pytest.raises(BadDataError, match=r"has 2 to 10,000 labels\. Found 0 in mine_b: name the column"):
        made(path, scene="shop", split="part", clean=True)


def test_no_text_to_train_on(tmp_path):
    rows = [[f"text {n}", str(n % 2), "test"] for n in range(6)]
    path = write(tmp_path / "a.csv", [["body", "stars", "part"], *rows])
    with pytest.raises(BadDataError, match=r"Each split needs an example\. Found none in mine/train"):
        made(path, split="part", subwords=20)


def priced(path, prices, **more) -> list[Dataset]:
    """A text for each price, which names its row."""
    rows = [[f"flat {n}", price, "ab"[n % 2]] for n, price in enumerate(prices)]
    return made(write(path / "flats.csv", [["body", "price", "town"], *rows]), **{"number": "price", **more})


def test_numbers_in_place_of_labels(tmp_path):
    (dataset,) = priced(tmp_path, [f"{-1.5 * n}" for n in range(COUNT)])
    (scene,) = dataset.scenes
    assert (scene.task, scene.classes, scene.target_field) == ("regression", (), NUMBER)
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [32, 4, 4]
    targets = scene.splits["train"].targets
    assert targets.dtype == torch.float64
    rows = [int(text.split()[1]) for text in texts(dataset, "train")]
    assert targets.tolist() == [-1.5 * row for row in rows]
    towns = priced(tmp_path, range(COUNT), scene="town")
    assert [(each.name, each.scenes[0].task) for each in towns] == [("mine_a", "regression"), ("mine_b", "regression")]


def test_numbers_in_the_forms_of_a_file(tmp_path):
    (dataset,) = priced(tmp_path, ["0", "1e3", " -2.5 ", "+.5", *range(30)])
    assert {0.0, 1000.0, -2.5, 0.5} <= {
        each for split in dataset.scenes[0].splits.values() for each in split.targets.tolist()
    }


@pytest.mark.parametrize("price", ["cheap", "1,5", "nan", "inf", "-Infinity", "1e400", "2e30", ""])
def test_what_is_no_number_is_refused_with_its_line(tmp_path, price):
    rule = r"flats\.csv must have numbers, of at most 1e\+30 in size, in the column that `number` names\. "
    with pytest.raises(BadDataError, match=rule + rf"Found '{price}' in line 4: mend it there\."):
        priced(tmp_path, [1, 2, price, *range(30)])


def test_numbers_that_do_not_differ(tmp_path):
    with pytest.raises(BadDataError, match=r"numbers that differ\. Found only 3 in mine/train: name the column that"):
        priced(tmp_path, ["3", "3.0", *[3] * 30])
    with pytest.raises(BadDataError, match=r"the column that `number` names\. Found no prize in line 2\."):
        priced(tmp_path, range(30), number="prize")


def test_the_checks_know_the_task_before_the_file_is_read():
    target = f"{TextFileDataset.__module__}.{TextFileDataset.__name__}"
    assert scenes_of("shop", {"_target_": target, "number": None}) == [StatedScene("shop", "text", "classification")]
    assert scenes_of("shop", {"_target_": target, "number": "price"}) == [StatedScene("shop", "text", "regression")]
