from __future__ import annotations

from itertools import product

import numpy as np

from iamm.dataset.shapes_world import WORLDS, paired_worlds, worlds, worlds_of_splits


def test_every_world_once_and_never_two_objects_in_one_place():
    every = worlds(np.arange(WORLDS))
    found = set(zip(*(column.tolist() for part in every for column in part.T), strict=True))
    expected = {
        (shape, small_shape, colour, small_colour, place, small_place)
        for shape, small_shape in product(range(4), repeat=2)
        for colour, small_colour in product(range(6), repeat=2)
        for place, small_place in product(range(9), repeat=2)
        if place != small_place
    }
    assert len(expected) == WORLDS == 41_472
    assert found == expected


def test_worked_world():
    # shape 1, colour 2, place 4, small shape 3, small colour 5, the last of the 8 places left: 8
    number = ((((1 * 6 + 2) * 9 + 4) * 4 + 3) * 6 + 5) * 8 + 7
    world = worlds(np.array([number]))
    assert [part.tolist() for part in world] == [[[1, 3]], [[2, 5]], [[4, 8]]]


def test_worlds_are_dealt_out_once():
    dealt = worlds_of_splits(7)
    assert [len(numbers) for numbers in dealt.values()] == [29_030, 4_148, 8_294]
    assert sorted(np.concatenate(list(dealt.values())).tolist()) == list(range(WORLDS))
    assert (worlds_of_splits(8)["test"] != dealt["test"]).any()


def test_relatedness_is_the_share_of_equal_worlds():
    own = worlds_of_splits(7)["test"]
    for relatedness in (0.0, 0.3, 1.0):
        pictured, told = paired_worlds(own, 7, "test", 8_000, relatedness)
        assert len(set(pictured)) == 8_000
        assert set(told) <= set(own)
        assert abs((pictured == told).mean() - relatedness) < 0.02
    more = [paired_worlds(own, 7, "test", 8_000, relatedness) for relatedness in (0.3, 0.6)]
    related = [pictured == told for pictured, told in more]
    assert (related[1] | ~related[0]).all()  # what is related at 0.3 is so at 0.6


def test_worlds_come_round_when_there_are_too_few():
    pictured, _ = paired_worlds(np.array([5, 9, 2]), 7, "test", 7, 1.0)
    assert pictured.tolist() == [5, 9, 2, 5, 9, 2, 5]
