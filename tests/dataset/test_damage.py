"""Valid small files of each format, changed at random places: the same data come out, or a line says what is wrong."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from iamm.dataset import ag_news
from iamm.dataset.ag_news import read_stories
from iamm.dataset.amazon_cdr import read_purchases
from iamm.dataset.amazon_sequences import read_sequences
from iamm.dataset.idx import read_idx, read_pair
from iamm.dataset.log import Log
from iamm.dataset.movielens import read_films, read_ratings
from iamm.dataset.multi30k import read_pairs
from iamm.errors import BadDataError

NOISE = np.random.default_rng(0).integers(0, 256, (23, 5, 7)).astype(np.uint8)
PICTURES = bytes((0, 0, 8, 3, 0, 0, 0, 23, 0, 0, 0, 5, 0, 0, 0, 7)) + NOISE.tobytes()
LABELS = bytes((0, 0, 8, 1, 0, 0, 0, 23)) + bytes(n % 10 for n in range(23))
GERMAN = "".join(f"Männer über {n * n} Bäche – größer.\n" for n in range(23)).encode()
ENGLISH = "".join(f"Men across {n * n} brooks, “larger”.\n" for n in range(23)).encode()
NEWS = "".join(f'"{n % 4 + 1}","Title ""{n}""","Told, by {n * n} people – they say"\n' for n in range(23)).encode()
RATINGS = "userId,movieId,rating,timestamp\r\n" + "".join(f"{n % 3},{n},{n % 5}.5,{n * n}\r\n" for n in range(23))
MOVIES = "movieId,title,genres\r\n" + "".join(f'{n},"Film, the {n}th",Drama|War\r\n' for n in range(23))
BASKETS = "".join(f"{n} {' '.join(str(n * m) for m in range(1, 5))}\n" for n in range(1, 23))
PURCHASES = "".join(f"{n % 5}\t{n}\t1\n" for n in range(23))
FILES = {
    "toy/train-images-idx3-ubyte.gz": PICTURES,
    "toy/train-labels-idx1-ubyte.gz": LABELS,
    "multi30k/task1/raw/train.de.gz": GERMAN,
    "multi30k/task1/raw/train.en.gz": ENGLISH,
    "ag_news_csv/test.csv.gz": NEWS,
    "ml-latest-small/ratings.csv.gz": RATINGS.encode(),
    "ml-latest-small/movies.csv.gz": MOVIES.encode(),
    "amazon-sequences/Beauty.txt.gz": BASKETS.encode(),
    "amazon-cdr/game_video/new_reindex.txt.gz": PURCHASES.encode(),
}
READERS = {
    "toy": lambda folder: [array.tolist() for array in read_pair(folder, "toy/train", 10)],
    "multi30k": lambda folder: read_pairs(folder, "train", "de", "en"),
    "ag_news_csv": read_stories,
    "ml-latest-small": lambda folder: films(folder),
    "amazon-sequences": lambda folder: plain(*read_sequences(folder, "beauty")),
    "amazon-cdr": lambda folder: plain(*read_purchases(folder, "game", np.random.default_rng(0))),
}
CASES = 60  # of each file and way


def plain(log: Log, items: Sequence[str]) -> list:
    return [log.user.tolist(), log.item.tolist(), log.clicked.tolist(), list(items)]


def films(folder: str) -> list:
    log, numbers = read_ratings(folder, 4)
    return [*plain(log, numbers.tolist()), log.time.tolist(), *read_films(folder, numbers)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(ag_news, "HELD_OUT", 1)
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(content, mtime=0))
    return tmp_path


def changed(content: bytes, dice: random.Random) -> bytes:
    """A bit flipped, an end cut off, a stretch zeroed, or bytes put in."""
    at = dice.randrange(len(content))
    length = dice.randint(1, 9)
    return dice.choice(
        (
            content[:at] + bytes((content[at] ^ 1 << dice.randrange(8),)) + content[at + 1 :],
            content[:at],
            content[:at] + bytes(len(content[at : at + length])) + content[at + length :],
            content[:at] + dice.randbytes(length) + content[at:],
        )
    )


def outcome(folder, name: str):
    """What is read, or None where it is refused as it must be."""
    try:
        return READERS[name.split("/")[0]](str(folder))
    except BadDataError as error:
        line = str(error)
    assert line.isprintable()
    assert len(line) < 400
    return None


@pytest.mark.parametrize("name", FILES)
def test_damaged_gzip_gives_the_same_data_or_none(folder, name):
    dice, whole, packed = random.Random(name), outcome(folder, name), (folder / name).read_bytes()
    assert whole is not None
    counts = Counter()
    for _ in range(CASES):
        damaged = changed(packed, dice)
        (folder / name).write_bytes(damaged)
        found = outcome(folder, name)
        assert found is None or found == whole, damaged
        counts[found is None] += 1
    assert counts[True] > 0.8 * CASES  # others: a date in the header, zeros where there were zeros


@pytest.mark.parametrize("name", FILES)
def test_damaged_contents_are_refused_or_are_as_they_say(folder, name):
    """Under a right checksum: another letter is another text, but never another error."""
    dice, counts = random.Random(name), Counter()
    for _ in range(CASES):
        damaged = changed(FILES[name], dice)
        (folder / name).write_bytes(gzip.compress(damaged, 1, mtime=0))
        found = outcome(folder, name)
        counts[found is None] += 1
        if found is not None and name.startswith("toy"):
            dimensions = 3 if "images" in name else 1
            array = read_idx(str(folder), name, dimensions)
            assert array.tobytes() == damaged[4 + 4 * dimensions :]
            assert len(found[0]) == len(found[1]) == 23
        elif found is not None and name.startswith("multi30k"):
            sides = dict(zip(("de", "en"), found, strict=True))
            assert sides[name.split(".")[1]] == [
                line.removesuffix("\r") for line in damaged.decode().strip("\n").split("\n")
            ]
    assert counts[True] > 0.3 * CASES
    assert counts[False] > 0.05 * CASES


@pytest.mark.parametrize("name", FILES)
def test_every_cut_is_refused(folder, name):
    packed = (folder / name).read_bytes()
    for kept in range(0, len(packed), 7):
        (folder / name).write_bytes(packed[:kept])
        assert outcome(folder, name) is None
