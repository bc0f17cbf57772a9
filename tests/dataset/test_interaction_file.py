"""One's own clicks: columns, times, scenes, users apart or last clicks apart."""

from __future__ import annotations

import csv

import pytest

from iamm.dataset.base import Dataset
from iamm.dataset.interaction_file import InteractionFileDataset, label_of, seconds
from iamm.errors import BadDataError

USERS, ITEMS = 20, 11


def write(path, rows) -> str:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


@pytest.fixture
def path(tmp_path) -> str:
    """20 people and 5 items each, item n at second n of 1970; one of three was passed. The rows stand backwards."""
    rows = [
        [f"u{user:02}", f"item {(user + n) % ITEMS}", n, int(n % 3 != 2), ("films", "books & more")[n % 2]]
        for n in reversed(range(6))
        for user in range(USERS)
    ]
    return write(tmp_path / "clicks.csv", [["who", "what", "when", "click", "where"], *rows])


def made(path: str, **more) -> list[Dataset]:
    given = {"name": "mine", "path": path, "seed": 3, "user": "who", "item": "what", "time": "when", "label": "click"}
    return InteractionFileDataset(**{**given, "negatives": 0, "candidates": 0, **more})


def examples(dataset: Dataset, split: str) -> list[tuple[int, tuple[str, ...], str, int]]:
    """User, history, candidate, click of each."""
    (scene,) = dataset.scenes
    part = scene.splits[split]
    histories = [tuple(scene.source.decode(row).split()) for row in part.inputs["history"].tolist()]
    items = [scene.source.decode([item]) for item in part.inputs["candidate"].tolist()]
    return list(zip(part.inputs["user"].tolist(), histories, items, part.targets.tolist(), strict=True))


def users(dataset: Dataset, split: str) -> set[int]:
    return set(dataset.scenes[0].splits[split].inputs["user"].tolist())


def test_histories_are_those_of_the_file(path):
    (dataset,) = made(path)
    (scene,) = dataset.scenes
    assert (dataset.name, scene.name, scene.kind, scene.task) == ("mine", "mine", "behaviour", "ranking")
    own = [each for each in examples(dataset, "train") if each[0] == min(users(dataset, "train"))]
    start = min(users(dataset, "train"))
    names = [f"item_{(start + n) % ITEMS}" for n in range(6)]
    assert own == [  # clicks at 0, 1, 3, 4; passed at 2 and 5
        (start, (names[0],), names[1], 1),
        (start, (names[0], names[1]), names[2], 0),
        (start, (names[0], names[1]), names[3], 1),
        (start, (names[0], names[1], names[3]), names[4], 1),
        (start, (names[0], names[1], names[3], names[4]), names[5], 0),
    ]
    first = scene.splits["train"].inputs["ages"][0]
    assert first[first >= 0].tolist() == [1]


def test_each_user_stands_in_one_split(path):
    (dataset,) = made(path)
    parts = [users(dataset, split) for split in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [16, 2, 2]
    assert len(set.union(*parts)) == USERS


def test_or_the_last_clicks_are_held_out(path):
    (dataset,) = made(path, held_out="clicks")
    assert [users(dataset, split) == set(range(USERS)) for split in ("train", "validation", "test")] == [True] * 3
    found = {split: next(each for each in examples(dataset, split) if each[0] == 7) for split in ("validation", "test")}
    assert found["validation"][2:] == ("item_9", 0)  # passed at 2, between the clicks at 1 and 3
    assert found["test"][2:] == ("item_0", 1)  # 7 + 4 = 11


def test_a_scene_for_each_value_of_a_column(path):
    books, films = made(path, scene="where")
    assert [books.name, films.name] == ["mine_books_more", "mine_films"]
    for split in ("train", "validation", "test"):
        assert users(books, split) == users(films, split)
    (alone,) = made(path, scene="where", scenes=["films"])
    assert users(alone, "test") == users(films, "test")
    with pytest.raises(ValueError, match=r"`scenes` must be values of their column .* Found film\."):
        made(path, scene="where", scenes=["film"])


def test_rows_in_order_each_a_click(tmp_path):
    rows = [[f"u{n % USERS}", n // USERS] for n in range(4 * USERS)]
    (dataset,) = made(write(tmp_path / "a.csv", [["who", "what"], *rows]), time=None, label=None)
    assert "ages" not in dataset.scenes[0].fields
    assert {each[1:] for each in examples(dataset, "train")} == {
        (("0",), "1", 1),
        (("0", "1"), "2", 1),
        (("0", "1", "2"), "3", 1),
    }


def test_splits_that_are_given(path, tmp_path):
    more = [["new", "item 1", 1, 1, "x"], ["new", "item 2", 2, 1, "x"], ["u03", "item 8", 5, 0, "films"]]
    test = write(tmp_path / "test.csv", [["who", "what", "when", "click", "where"], *more])
    (dataset,) = made(path, test_path=test)
    assert [len(users(dataset, split)) for split in ("train", "validation", "test")] == [18, 2, 2]
    with pytest.raises(ValueError, match="`held_out=clicks` goes without splits that are given"):
        made(path, test_path=test, held_out="clicks")


def test_what_is_left_out(path, tmp_path):
    with open(path, encoding="utf-8") as file:
        rows = list(csv.reader(file))
    (dataset,) = made(write(tmp_path / "a.csv", [*rows, rows[1], ["", "x", 1, 1, ""]]))
    assert dataset.notices[:2] == (
        "mine: 1 of 122 rows lack a user, an item or a scene and are left out.",
        "mine: 1 of 122 rows stand there a second time and are left out.",
    )
    assert dataset.checksum() == made(path)[0].checksum()
    (dataset,) = made(path, limit=10)
    assert sum(len(users(dataset, split)) for split in ("train", "validation", "test")) == 10
    with pytest.raises(BadDataError, match="mine must have rows with a user and an item"):
        made(write(tmp_path / "b.csv", [rows[0]]))


def test_ratings_are_clicks_from_a_number_on(path):
    (dataset,) = made(path, label="when", click=3)
    clicks = {each[2]: each[3] for each in examples(dataset, "train") if each[0] == min(users(dataset, "train"))}
    assert list(clicks.values()) == [1, 1]  # at 4 and 5, behind the first click at 3


def test_times():
    assert seconds("a", "12.5", 1) == 12.5
    assert seconds("a", "1970-01-02", 1) == seconds("a", "1970-01-02T00:00:00Z", 1) == 86_400
    assert seconds("a", "1970-01-01T02:00:00+01:00", 1) == 3600
    for word in ("yesterday", "", "nan", "1e300"):
        with pytest.raises(BadDataError, match=r"a must have .* in line 7"):
            seconds("a", word, 7)


def test_labels():
    assert [label_of("a", word, 1) for word in ("1", "0.5", "TRUE", "no")] == [1, 0.5, 1, 0]
    for word in ("maybe", "", "nan"):
        with pytest.raises(BadDataError, match=r"a must have a number, true or false .* in line 7"):
            label_of("a", word, 7)


def test_more_than_memory_holds(path, monkeypatch):
    monkeypatch.setattr("iamm.memory.available_memory", lambda: 10_000)
    with pytest.raises(BadDataError, match=r"clicks\.csv, which takes 0 MiB of 0 MiB: take a part of the file"):
        made(path, limit=3)
    monkeypatch.setattr("iamm.memory.available_memory", lambda: 1 << 20)
    with pytest.raises(BadDataError, match=r"Found 120 rows of .*, which takes 4 MiB of 1 MiB: take fewer users"):
        made(path, max_history=1000)
