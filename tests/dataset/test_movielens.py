from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from iamm.dataset.base import Dataset
from iamm.dataset.movielens import MovielensDataset
from iamm.errors import BadDataError, MissingDataError

HEADER = "userId,movieId,rating,timestamp"
MOVIES = (
    "movieId,title,genres",
    '10,"Deep, Dark (1999)",Drama|War',
    "20,Fun (2001),Comedy",
    "30,Both (2002),Comedy|Drama",
    "40,None (2003),(no genres listed)",
    "50,Far (2004),Sci-Fi|Drama",
)
NUMBERS = {
    **{"Deep,_Dark_(1999)": "10", "Fun_(2001)": "20", "Both_(2002)": "30"},
    **{"None_(2003)": "40", "Far_(2004)": "50"},
}
RATINGS = (
    *("1,10,4.0,100", "1,30,5.0,200", "1,20,4.5,300", "1,40,1.0,350", "1,50,4.0,400"),
    *("2,10,4.0,900", "2,20,3.5,100", "2,30,4.0,500", "2,50,5.0,700"),
)


def write(folder: Path, name: str, *lines: str, end: str = "\r\n") -> None:
    path = folder / "ml-latest-small" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(line + end for line in lines).encode()))


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, "ratings.csv.gz", HEADER, *RATINGS)
    write(tmp_path, "movies.csv.gz", *MOVIES)
    return tmp_path


def made(folder: Path, **changes) -> list[Dataset]:
    given = {"data_dir": str(folder), "seed": 3, "scenes": ("all",), "held_out": 1, "negatives": 0, "candidates": 0}
    return MovielensDataset(**{**given, **changes})


def readable(dataset: Dataset, split: str) -> list[tuple]:
    scene = dataset.scenes[0]
    part, piece = scene.splits[split], scene.source.piece
    columns = [part.inputs["user"], part.inputs["history"], part.inputs["candidate"], part.targets]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        (u, " ".join(number(piece(i)) for i in history if i), number(piece(item)), click)
        for u, history, item, click in rows
    ]


def number(title: str) -> str:
    """The film of an invented title; others stay as they are."""
    return NUMBERS.get(title, title)


def test_by_hand(folder):
    """User 1 clicks 10, 30, 20, 50 and passes 40 before the last; user 2 passes 20, then clicks 30, 50, 10."""
    (dataset,) = made(folder)
    assert dataset.scenes[0].source.pieces[4:] == ("Deep,_Dark_(1999)", "Fun_(2001)", "Both_(2002)")
    assert readable(dataset, "train") == [(0, "10", "30", 1)]
    assert readable(dataset, "validation") == [(0, "10 30", "20", 1), (1, "30", "<unk>", 1)]
    assert readable(dataset, "test") == [
        (0, "10 30 20", "<unk>", 0),
        (0, "10 30 20", "<unk>", 1),
        (1, "30 <unk>", "10", 1),
    ]
    ages = dataset.scenes[0].splits["test"].inputs["ages"].tolist()
    assert ages == [[250, 150, 50], [300, 200, 100], [400, 200, -1]]


def test_films_of_one_title_have_their_numbers(folder):
    write(folder, "movies.csv.gz", *MOVIES[:2], "20,Same (2001),Comedy", "30,Same (2001),Drama", *MOVIES[4:])
    (dataset,) = made(folder)
    assert dataset.scenes[0].source.pieces[4:] == ("Deep,_Dark_(1999)", "Same_(2001)_20", "Same_(2001)_30")


def test_what_is_a_click(folder):
    (dataset,) = made(folder, click=5)
    assert [row[3] for row in readable(dataset, "train")] == [0, 0, 0, 0]  # two users with a click each


def test_scenes_are_genres_and_groups_of_users(folder):
    names = ("drama", "comedy", "sci_fi", "few", "some", "many")
    found = {dataset.name: dataset for dataset in made(folder, scenes=names)}
    assert list(found) == [f"movielens_{name}" for name in names]
    assert readable(found["movielens_drama"], "train") == [(0, "10", "30", 1)]
    assert readable(found["movielens_drama"], "test") == [(0, "10 30", "<unk>", 1), (1, "30 <unk>", "10", 1)]
    assert readable(found["movielens_comedy"], "validation") == [(0, "30", "20", 1)]
    assert found["movielens_sci_fi"].size("test") == 0  # nobody has an earlier click there
    users = {name: {row[0] for row in readable(found[f"movielens_{name}"], "test")} for name in ("few", "some", "many")}
    assert users == {"few": {1}, "some": {0}, "many": set()}
    assert len({id(dataset.scenes[0].source) for dataset in found.values()}) == 1


def test_a_scene_tests_the_same_whatever_others_there_are(folder):
    alone, beside = made(folder, scenes=("drama",))[0], made(folder, scenes=("comedy", "drama"))[1]
    for split in ("train", "validation", "test"):
        rows = [[(row[0], row[3]) for row in readable(dataset, split)] for dataset in (alone, beside)]
        assert rows[0] == rows[1]


def test_a_history_of_ratings_has_all_films_and_their_stars(folder):
    """User 1 passed 40 and user 2 passed 20; seconds as in the files."""
    (dataset,) = made(folder, ratings=True)
    inputs = dataset.scenes[0].splits["test"].inputs
    assert readable(dataset, "test") == [
        (0, "10 30 20", "<unk>", 0),
        (0, "10 30 20 <unk>", "<unk>", 1),
        (1, "Fun_(2001) 30 <unk>".replace("Fun_(2001)", "20"), "10", 1),
    ]
    assert inputs["values"].tolist() == [[4.0, 5.0, 4.5, -1.0], [4.0, 5.0, 4.5, 1.0], [3.5, 4.0, 5.0, -1.0]]
    assert inputs["ages"].tolist() == [[250, 150, 50, -1], [300, 200, 100, 50], [800, 400, 200, -1]]


def test_a_film_of_one_genre_is_in_the_rarest(folder):
    """Six ratings of dramas, four of comedies, two of which are both: 30 is a comedy."""
    drama, comedy = made(folder, scenes=("drama", "comedy"), one_genre=True, history="all")
    items = [
        {row[2] for split in ("train", "validation", "test") for row in readable(dataset, split)}
        for dataset in (drama, comedy)
    ]
    assert "30" not in items[0]
    assert "30" in items[1]


def test_films_of_a_scene_that_is_left_out_are_in_no_other(folder):
    """30 is a comedy and a drama, and comedies are rarer: where they are left out, no drama."""
    for left_out, numbers in ((None, {"10", "30", "50"}), (("comedy",), {"10", "50"})):
        settings = {"scenes": ("drama",), "one_genre": True, "history": "all", "catalogue": True, "left_out": left_out}
        (drama,) = made(folder, **settings)
        assert {row[2] for split in ("train", "validation", "test") for row in readable(drama, split)} == numbers


def test_a_catalogue_has_the_films_that_nobody_rated_in_training(folder):
    sources = [
        made(folder, scenes=("drama", "comedy"), history="others", known=("comedy",), catalogue=catalogue)[0]
        .scenes[0]
        .source
        for catalogue in (None, True)
    ]
    assert [{NUMBERS.get(source.piece(i)) for i in range(4, len(source))} for source in sources] == [
        {"20", "30"},
        {"10", "20", "30", "40", "50"},
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fold": 5, "new_users": True, "history": "others"}, "`fold` must be"),
        ({"fold": 0}, "A fold divides users who are new in a scene"),
        ({"scenes": ("scifi",)}, "must be a list without repeats, each of them one of action, .* Found \\('scifi',\\)"),
        ({"click": 0}, "`click` must be a number at least 0.5 and at most 5. Found 0"),
        ({"held_out": 0}, "`held_out` must be"),
        ({"max_history": 0}, "`max_history` must be"),
    ],
)
def test_what_cannot_be(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        made(folder, **changes)


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("ratings", [HEADER, "1,10,4.0,1", "1,10;4.0,1"], r"in each line. Found '1,10;4.0,1' in line 3, column 1"),
        ("ratings", [HEADER, "1,10,7.0,1"], "Found '1,10,7.0,1' in line 2"),
        ("ratings", ["user,movie"], "must begin with b'userId,movieId,rating,timestamp'. Found 'user,movie' in line 1"),
        ("ratings", [HEADER], "Found none in line 2"),
        ("ratings", [HEADER, "1,10,4.0,1", "1,10,5.0,2"], "must have one rating of a film by a user. Found two"),
        ("ratings", [HEADER, "1,10,4.0,1", "1,11,4.0,1"], "must have each film that is rated. Found no film 11"),
        ("movies", [MOVIES[0], "10,Deep"], "have a film, a title and genres in each line. Found '10,Deep' in line 2"),
        ("movies", [MOVIES[0], '10,"Deep,Drama'], "have a film, a title and genres in each line"),
        ("movies", [MOVIES[0], "ten,Deep,Drama"], "have a film, a title and genres in each line"),
        (
            "movies",
            [MOVIES[0], "10,Deep,Drama|Noise"],
            "have genres of MovieLens in each line. Found 'noise' in line 2",
        ),
    ],
)
def test_files_that_are_none(folder, name, lines, message):
    write(folder, f"{name}.csv.gz", *lines)
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_of_the_published_files():
    try:
        drama, comedy = MovielensDataset(data_dir=os.environ.get("IAMM_DATA_DIR"), seed=1, scenes=("drama", "comedy"))
    except MissingDataError as error:
        pytest.skip(str(error))
    assert len(drama.scenes[0].source) == 6783
    for dataset, clicks in ((drama, (21_226, 555, 540)), (comedy, (15_521, 375, 386))):
        splits = dataset.scenes[0].splits
        assert [int(splits[name].targets.sum()) for name in ("train", "validation", "test")] == list(clicks)
    seen = {
        name: {(row[0], row[2]) for dataset in (drama, comedy) for row in readable(dataset, name) if row[3]}
        for name in ("train", "validation", "test")
    }
    assert {row for row in seen["train"] & (seen["validation"] | seen["test"]) if row[1] != "<unk>"} == set()
    counts = drama.scenes[0].splits["test"].inputs["user"].bincount()
    lists = drama.scenes[0].splits["test"]
    clicked = lists.inputs["user"][lists.targets.bool()].unique()
    assert int(counts[clicked].min()) == 100
