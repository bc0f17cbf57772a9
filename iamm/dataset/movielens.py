"""MovieLens: ratings of films."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar

import numpy as np

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, Number, OneOf, Seed, WholeNumber
from iamm.dataset.base import Dataset
from iamm.dataset.behaviour import Sampling, behaviour_datasets
from iamm.dataset.files import bad_text, read_lines
from iamm.dataset.log import FOLDS, FoldOf, HistoryOf, Log, scene_logs, sorted_log
from iamm.dataset.number_lines import number_lines, numbers
from iamm.errors import BadDataError

RATINGS, MOVIES = "ml-latest-small/ratings.csv.gz", "ml-latest-small/movies.csv.gz"
RATING = re.compile(rb"\d{1,9},\d{1,9},[0-5]\.[05],\d{1,12}")
SCENES = (
    "action",
    "adventure",
    "animation",
    "children",
    "comedy",
    "crime",
    "documentary",
    "drama",
    "fantasy",
    "film_noir",
    "horror",
    "imax",
    "musical",
    "mystery",
    "romance",
    "sci_fi",
    "thriller",
    "war",
    "western",
    "few",
    "some",
    "many",
    "all",
)
ACTIVITY = ("few", "some", "many")
"""Thirds of the users by the number of films that they rated."""
ALL = "all"
NO_GENRE = "(no genres listed)"
MOST_WATCHED = ("drama", "comedy", "action", "thriller", "adventure", "romance")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]


class MovielensDataset(list[Dataset], Constrained):
    """100,836 ratings of 9,724 films by 610 users, from `data_dir/ml-latest-small/`.

    Each scene is a separate data set: the ratings of a genre; a third of the users, by the number of films that they
    rated (few, some, many); or all. The scenes share their items. A rating of at least
    `click` is a click, a lower one was passed.

    The last clicks of a user over all scenes are held out, whatever scenes a run has: no scene trains on a click that
    another one tests, or on a later one.

    Args:
        data_dir: the folder of all data sets.
        seed: seed of the negatives.
        batch_size: candidates per step, of each scene.
        scenes: genres, groups of users, or all.
        click: the lowest rating that is a click, from 0.5 to 5.
        held_out: number of a user's last clicks for test, and of those before them for validation.
        max_history: the largest number of a user's latest clicks that are read.
        history: the clicks that a history holds: the earlier ones in the same `scene`, in `all` scenes or in the
            `others`; the `whole` of the user's in the others, later ones, too; as a control those of a `stranger`; or,
            as an upper bound, the whole and all other clicks in the scene, held-out ones, too (`oracle`).
        new_users: in place of last clicks, hold out all rows of users who are new in a scene, a tenth of all users for
            validation and a tenth for test, drawn scene by scene. Only an oracle's history holds such rows.
        negatives: films drawn for each click of train.
        candidates: length of each user's list in a held-out split, filled up with negatives.
        evaluated: number of users of each scene that are evaluated; None = all.
        train: number of candidates of each scene to train on; None = all.
        known: scenes whose clicks the others read, and whose items have a word; None = all. A run with a `target`
            sets it.
        ratings: True: a history holds all rated films with their stars, in place of clicks.
        one_genre: True: a film is in one scene, the rarest by ratings of its genres in `scenes`; None: in all of them.
        fold: with `new_users`, a fifth of the users for test and a tenth for validation, whom `seed` does not change:
            over five folds each user is tested once in each of five scenes; None draws them by `seed`.
        catalogue: True: all films have a word; None: those that somebody rated in training, in a known scene.
        left_out: further scenes among which `one_genre` divides the films, and whose ratings nobody reads. A run on the
            known scenes of a `target` has it there.

    Raises:
        ValueError: an unknown scene; a number out of its range.
        MissingDataError, BadDataError: a file is missing or malformed.

    Source: Harper, Konstan 2015, in the edition `ml-latest-small` of 2018-09-26.
    """

    impossible: ClassVar = {
        "A user who is new in a scene has a history in other scenes only": (
            {"history": ["scene"], "new_users": [True]},
        ),
        "A fold divides users who are new in a scene": ({"fold": [*range(FOLDS)], "new_users": [False]},),
    }
    provides = ({"name": "movielens_{scene}", "kind": "behaviour", "task": "ranking"},)

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = MOST_WATCHED,
        click: Annotated[float, Number(0.5, 5)] = 4.0,
        held_out: Count = 2,
        max_history: Count = 20,
        history: HistoryOf = "scene",
        new_users: bool = False,
        negatives: WholeNumber = 4,
        candidates: WholeNumber = 100,
        evaluated: Count | None = None,
        train: Count | None = None,
        known: Scenes | None = None,
        ratings: bool | None = None,
        one_genre: bool | None = None,
        fold: FoldOf | None = None,
        catalogue: bool | None = None,
        left_out: Scenes | None = None,
    ) -> None:
        log, numbers = read_ratings(data_dir, click)
        log = log if ratings else replace(log, value=None)
        titles, genres = read_films(data_dir, numbers)
        inside = {scene: rows_of(scene, log, genres) for scene in (*scenes, *(left_out or ()))}
        inside = of_the_rarest(inside) if one_genre else inside
        inside = {scene: inside[scene] for scene in scenes}
        logs, splits, histories = scene_logs(
            log,
            inside,
            held_out=held_out,
            history=history,
            new_users=new_users,
            known=known,
            name="movielens",
            seed=seed,
            fold=fold,
        )
        super().__init__(
            behaviour_datasets(
                "movielens",
                logs,
                splits,
                titles,
                Sampling(seed, max_history, negatives, candidates, evaluated, train),
                batch_size=batch_size,
                histories=histories,
                known=known,
                catalogue=bool(catalogue),
            )
        )


def read_ratings(data_dir: str | None, click: float) -> tuple[Log, np.ndarray]:
    """Read the log of all ratings, and the number of each film in the files."""
    rule = "have a user, a film, a rating from 0.5 to 5.0 and seconds in each line"
    lines = number_lines(data_dir, RATINGS, RATING, rule, b"userId,movieId,rating,timestamp")
    user, film, rating, time = numbers(lines).reshape(-1, 4).T
    films, item = np.unique(film.astype(np.int64), return_inverse=True)
    _, person = np.unique(user, return_inverse=True)
    pairs = item + len(films) * person
    if len(np.unique(pairs)) < len(pairs):
        raise BadDataError(f"{RATINGS} must have one rating of a film by a user. Found two: get it again.")
    return sorted_log(person, item, rating >= click, time.astype(np.int64), rating), films


def read_films(data_dir: str | None, numbers: np.ndarray) -> tuple[list[str], list[set[str]]]:
    """Read the title of each film, with its number where another film has the same, and its genres as scenes."""
    title_of, genres_of = dict[int, str](), dict[int, set[str]]()
    for number, line in enumerate(read_lines(data_dir, MOVIES)[1:], start=2):
        try:
            word, title, genres = next(csv.reader([line], strict=True))
            film = int(word)
        except (ValueError, csv.Error) as error:
            raise bad_text(
                MOVIES, "have a film, a title and genres in each line", repr(line[:20]), number, 1
            ) from error
        title_of[film] = "_".join(title.split())
        genres_of[film] = set(genres.lower().replace("-", "_").split("|"))
        if wrong := genres_of[film] - {*SCENES, NO_GENRE}:
            raise bad_text(MOVIES, "have genres of MovieLens in each line", repr(min(wrong)[:20]), number, 1)
    films = numbers.tolist()
    if missing := sorted(set(films) - genres_of.keys()):
        raise BadDataError(f"{MOVIES} must have each film that is rated. Found no film {missing[0]}: get it again.")
    count = Counter(title_of[film] for film in films)
    titles = [title_of[film] + f"_{film}" * (count[title_of[film]] > 1) for film in films]
    return titles, [genres_of[film] for film in films]


def rows_of(scene: str, log: Log, genres: Sequence[set[str]]) -> np.ndarray:
    """Mark the rows of the log that belong to a scene.  # (N,) bool"""
    if scene == ALL:
        return np.ones(len(log.user), dtype=bool)
    if scene in ACTIVITY:
        rank = np.argsort(np.argsort(np.bincount(log.user), kind="stable"))
        return (rank * len(ACTIVITY) // len(rank))[log.user] == ACTIVITY.index(scene)
    return np.array([scene in film_genres for film_genres in genres])[log.item]


def of_the_rarest(inside: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep the rows of each genre that belong to no rarer one; groups of users keep theirs."""
    free, kept = np.ones_like(next(iter(inside.values()))), dict(inside)
    for scene in sorted(inside.keys() - {ALL, *ACTIVITY}, key=lambda scene: (inside[scene].sum(), scene)):
        kept[scene] = inside[scene] & free
        free &= ~inside[scene]
    return kept
