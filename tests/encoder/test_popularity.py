from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.dataset.base import Scene, Split
from iamm.dataset.fields import CLASS, ID
from iamm.dataset.vocabulary import WordVocabulary
from iamm.encoder.popularity import PopularityEncoder
from iamm.model.sharing import pooled

CANDIDATES, CLICKED = tensor([4, 4, 5, 5, 4, 6]), tensor([1, 1, 1, 0, 1, 0])
WORDS = WordVocabulary(["a", "b", "c"])


def scene_of(rows: list[int]) -> Scene:
    split = Split({"candidate": CANDIDATES[rows]}, CLICKED[rows], torch.ones(len(rows), dtype=torch.bool))
    return Scene("s", "behaviour", "ranking", {"train": split}, {"candidate": ID}, CLASS, ("no", "yes"), source=WORDS)


def test_by_hand():
    """Item 4 has three clicks, 5 one, 6 and what is unknown none: the mean of ln 4, ln 2 and 0 is ln 2. The last row is
    absent."""
    encoder = PopularityEncoder(scene_of([*range(6)]), 5)
    values, allow = encoder({"candidate": tensor([4, 5, 6, 3, 4])}, tensor([True] * 4 + [False]))
    assert allow[:, 0].tolist() == [True] * 4 + [False]
    expected = tensor([math.log(2), 0.0, -math.log(2), -math.log(2), 0.0])
    torch.testing.assert_close(values, expected[:, None, None].expand(-1, 1, 5))
    assert list(encoder.parameters()) == []


def test_an_absent_click_counts_nothing():
    scene = scene_of([0, 1])
    scene.splits["train"].present[0] = False
    torch.testing.assert_close(PopularityEncoder(scene, 5).popularity[4], tensor(2 / 3 * math.log(2)))  # one of three


def test_scenes_that_share_it_count_together():
    both = PopularityEncoder(pooled([scene_of([0, 1, 2]), scene_of([3, 4, 5])], "encoder"), 5)
    assert both.popularity.tolist() == PopularityEncoder(scene_of([*range(6)]), 5).popularity.tolist()
