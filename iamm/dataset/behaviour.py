"""Rankings of items: a log of what users did, split by time, to examples of a history and a candidate."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from iamm.dataset.base import SPLITS, Dataset, Scene, Split, random_generator
from iamm.dataset.fields import AGES, CLASS, ID, ITEMS, NUMBER, VALUES
from iamm.dataset.log import TRAIN, History, Log
from iamm.dataset.vocabulary import PAD, SPECIAL, UNKNOWN, Vocabulary, WordVocabulary
from iamm.names import scene_name

CLASSES = ("passed", "clicked")


@dataclass(frozen=True)
class Sampling:
    """How examples are drawn from a log.

    Args:
        seed: seed of the negatives, users and training examples that are drawn.
        max_history: T, the largest number of a user's entries in a history: the latest, or of a whole one those around
            the row.
        negatives: items drawn for each click of train.
        candidates: length of the list in which a user's held-out clicks are ranked, filled up with negatives.
        evaluated: number of users, drawn, that are evaluated in each scene; None for all.
        train: number of training examples, drawn, of each scene; None for all.
    """

    seed: int
    max_history: int
    negatives: int
    candidates: int
    evaluated: int | None = None
    train: int | None = None


@dataclass(frozen=True, eq=False)
class Examples:
    """E candidates of one split.

    Shapes:
        row: (E,) of the log, which gives user, history and time
        item: (E,)
        clicked: (E,) bool
    """

    row: np.ndarray
    item: np.ndarray
    clicked: np.ndarray


def behaviour_datasets(
    name: str,
    logs: Mapping[str, Log],
    splits: Mapping[str, np.ndarray],
    items: Sequence[str],
    sampling: Sampling,
    *,
    batch_size: int,
    histories: Mapping[str, History] | None = None,
    known: Collection[str] | None = None,
    catalogue: bool = False,
    notices: tuple[str, ...] = (),
) -> list[Dataset]:
    """Make a data set for each scene, with one vocabulary of items; the first one has the notices of all.

    An example needs an entry in its history. Negatives are drawn uniformly from the items of the
    scene with which the user has no row in any split; a list has no item twice. Items without a row in a training
    split of a known scene are UNKNOWN, unless there is a catalogue.

    Args:
        name: the name of the choice; a scene is called `<name>_<scene>`, and an only one ("") as the choice.
        logs: the log of each scene.
        splits: (N,) for each scene, the split of each row of its log, as `last_clicks_apart` gives it.
        histories: of each row of each log; None = the entries before it in the same log.
        items: a word without blanks for each item, by its number.
        sampling: how examples are drawn.
        batch_size: the batch size of each data set.
        known: the scenes whose items have a word; None = all.
        catalogue: whether all items have one, whoever met them.
        notices: notices on the logs.
    """
    trained = np.full(len(items), catalogue)
    for scene, log in logs.items():
        if known is None or scene in known:
            trained[log.item[splits[scene] == TRAIN]] = True
    vocabulary = WordVocabulary([item for item, has_row in zip(items, trained, strict=True) if has_row])
    ids = np.full(len(items), UNKNOWN, dtype=np.int64)
    ids[trained] = np.arange(len(SPECIAL), len(vocabulary))
    datasets = list[Dataset]()
    for scene, log in logs.items():
        full_name, history = scene_name(name, scene), histories[scene] if histories else log.history()
        made = {
            split: behaviour_split(
                log, history, examples(log, history, splits[scene] == number, split, full_name, sampling), ids, sampling
            )
            for number, split in enumerate(SPLITS)
        }
        datasets.append(
            Dataset(
                full_name,
                (behaviour_scene(full_name, made, vocabulary),),
                batch_size,
                notices=() if datasets else notices,
            )
        )
    return datasets


def behaviour_scene(name: str, splits: Mapping[str, Split], vocabulary: Vocabulary) -> Scene:
    fields = {"history": ITEMS, "candidate": ID, "user": NUMBER, "ages": AGES, "values": VALUES}
    fields = {field: fields[field] for field in splits["train"].inputs}
    return Scene(name, "behaviour", "ranking", splits, fields, CLASS, CLASSES, source=vocabulary)


def examples(log: Log, history: History, inside: np.ndarray, split: str, scene: str, sampling: Sampling) -> Examples:
    """Select the rows of a split that have a history, and draw negatives for them.

    Args:
        inside: (N,) bool, the rows of the log that belong to the split.
        split, scene: names, which seed the draws.
    """
    generator = random_generator(sampling.seed, scene, split)
    rows = (inside & (history.length > 0)).nonzero()[0]
    if split != "train" and sampling.evaluated is not None:
        users = generator.permutation(np.unique(log.user[rows]))[: sampling.evaluated]
        rows = rows[np.isin(log.user[rows], users)]
    drawn = list(negatives(log, rows, None if split == "train" else sampling.candidates, sampling, generator))
    row = np.concatenate([rows, *(row for row, _ in drawn)])
    item = np.concatenate([log.item[rows], *(item for _, item in drawn)])
    clicked = np.concatenate([log.clicked[rows], np.zeros(len(row) - len(rows), dtype=bool)])
    if split == "train" and sampling.train is not None:
        some = generator.permutation(len(row))[: sampling.train]
        row, item, clicked = row[some], item[some], clicked[some]
    return Examples(row, item, clicked)


def negatives(
    log: Log, rows: np.ndarray, candidates: int | None, sampling: Sampling, generator: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each user with a click among the rows, a row of a click and a drawn item for each negative.

    Args:
        candidates: the length of a user's list with its negatives; None: `sampling.negatives` for each click.
    """
    universe = np.unique(log.item)
    place = np.searchsorted(universe, log.item)
    users, first = np.unique(log.user[rows], return_index=True)
    above, below = np.searchsorted(log.user, users), np.searchsorted(log.user, users, side="right")
    for user_rows, start, end in zip(np.split(rows, first)[1:], above, below, strict=True):
        clicks = user_rows[log.clicked[user_rows]]
        count = sampling.negatives * len(clicks) if candidates is None else candidates - len(user_rows)
        if len(clicks) and count > 0:
            drawn = draw_excluding(
                count, len(universe), np.unique(place[start:end]), generator, repeats=candidates is None
            )
            yield np.resize(clicks, len(drawn)), universe[drawn]


def draw_excluding(
    count: int, items: int, excluded: np.ndarray, generator: np.random.Generator, *, repeats: bool = False
) -> np.ndarray:
    """Draw `count` numbers below `items` that are not in `excluded`, which is sorted.

    Without `repeats` they differ, and are fewer than `count` where fewer remain.
    """
    remaining = items - len(excluded)
    size = count * (remaining > 0) if repeats else min(count, remaining)
    drawn = (
        generator.choice(remaining, size, replace=repeats) if size else np.zeros(0, dtype=np.int64)
    )  # of the remaining ones
    return drawn + np.searchsorted(excluded - np.arange(len(excluded)), drawn, side="right")


def behaviour_split(log: Log, history: History, examples: Examples, ids: np.ndarray, sampling: Sampling) -> Split:
    """Make the tensors of a split; a history begins with its oldest entry.

    Args:
        ids: (items,), the id of each item.
    """
    entries, row = history.entries, examples.row
    chosen, real = history.read(row, sampling.max_history)  # (E, T)
    inputs = {
        "history": np.where(real, ids[entries.item[chosen]], PAD),
        "candidate": ids[examples.item],
        "user": log.user[row],
    }
    if log.time is not None and entries.time is not None:
        age = log.time[row][:, None] - entries.time[chosen]
        inputs["ages"] = np.where(real, age - (age < 0), -1)  # of an entry that comes later: below -1
    if entries.value is not None:
        inputs["values"] = np.where(real, entries.value[chosen], -1).astype(np.float32)
    targets = torch.from_numpy(examples.clicked.astype(np.int64))
    tensors = {name: torch.from_numpy(values) for name, values in inputs.items()}
    return Split(tensors, targets, torch.ones(len(row), dtype=torch.bool))
