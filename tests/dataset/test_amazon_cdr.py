from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from iamm.dataset.amazon_cdr import FOLDERS, AmazonCdrDataset, read_purchases
from iamm.dataset.base import Dataset
from iamm.errors import BadDataError, MissingDataError

LINES = tuple(f"{user}\t{item}\t1" for user in (1, 3, 8) for item in range(user, user + 5))


def write(folder: Path, scene: str, *lines: str) -> None:
    path = folder / "amazon-cdr" / FOLDERS[scene] / "new_reindex.txt.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))


@pytest.fixture
def folder(tmp_path) -> Path:
    for scene in FOLDERS:
        write(tmp_path, scene, *LINES)
    return tmp_path


def made(folder: Path, **changes) -> list[Dataset]:
    given = {"data_dir": str(folder), "seed": 3, "scenes": ("game",), "negatives": 0, "candidates": 0}
    return AmazonCdrDataset(**{**given, **changes})


def test_a_users_order_is_drawn(folder):
    log, items = read_purchases(str(folder), "game", np.random.default_rng(0))
    assert items == [str(number) for number in range(1, 13)]
    assert log.user.tolist() == [1] * 5 + [3] * 5 + [8] * 5
    for user in (1, 3, 8):
        own = [int(items[number]) for number in log.item[log.user == user]]
        assert sorted(own) == [*range(user, user + 5)]
    orders = {tuple(read_purchases(str(folder), "game", np.random.default_rng(n))[0].item) for n in range(9)}
    assert len(orders) == 9
    (dataset,) = made(folder)
    assert [dataset.size(split) for split in ("train", "validation", "test")] == [6, 3, 3]
    assert dataset.scenes[0].splits["test"].inputs["user"].tolist() == [1, 3, 8]
    assert made(folder)[0].checksum() == dataset.checksum() != made(folder, seed=4)[0].checksum()


def test_each_domain_is_a_scene_of_its_own(folder):
    game, sport = made(folder, scenes=("game", "sport"))
    assert [game.name, sport.name] == ["amazon_cdr_game", "amazon_cdr_sport"]
    assert made(folder, scenes=("sport",))[0].checksum() == sport.checksum()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("1\t2\t1", "1\t2"), r"an item and a 1 in each line, with tabs between. Found '1\\t2' in line 2, column 1"),
        (("1\t2\t0",), "in line 1"),
        (("1\t2\t1", "1\t2\t1"), "must have each user and item once. Found a pair twice"),
    ],
)
def test_lines_that_are_none(folder, lines, message):
    write(folder, "game", *lines)
    with pytest.raises(BadDataError, match=message):
        made(folder)


def test_of_the_published_files():
    found = {}
    try:
        for scene in FOLDERS:
            log, items = read_purchases(os.environ.get("IAMM_DATA_DIR"), scene, np.random.default_rng(0))
            found[scene] = (len(np.unique(log.user)), len(items), len(log.item), set(log.user.tolist()))
    except MissingDataError as error:
        pytest.skip(str(error))
    assert {scene: counts[:3] for scene, counts in found.items()} == {
        **{"game": (25_025, 12_319, 157_721), "video": (19_457, 8_751, 158_984)},
        **{"cloth": (41_829, 17_943, 194_121), "sport": (27_328, 12_655, 170_426)},
    }
    assert len(found["game"][3] & found["video"][3]) == 2_179
    assert len(found["cloth"][3] & found["sport"][3]) == 9_828
