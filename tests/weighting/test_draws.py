from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch

from iamm.weighting.draws import Draws


def taken(draws, times):
    return np.array([draws.generator().random(3) for _ in range(times)])


def test_by_hand():
    """The second generator of a run is numpy's own from (seed, purpose, one taken before it)."""
    expected = np.random.default_rng((7 << 64) + (1_996_811 << 32) + 1).random(3)
    np.testing.assert_array_equal(taken(Draws(7), 2)[1], expected)


def test_each_generator_is_another_and_the_same_in_each_run():
    first = taken(Draws(7), 5)
    assert len(np.unique(first)) == first.size
    np.testing.assert_array_equal(taken(Draws(7), 5), first)
    assert not np.isin(taken(Draws(8), 5), first).any()


def test_how_much_is_drawn_from_one_does_not_change_the_next():
    draws, other = Draws(7), Draws(7)
    draws.generator().random(1000)
    other.generator()
    np.testing.assert_array_equal(taken(draws, 1), taken(other, 1))


def test_what_others_draw_changes_nothing():
    expected = taken(Draws(7), 2)
    draws = Draws(7)
    torch.rand(5)
    np.random.default_rng(7).random(5)
    np.testing.assert_array_equal(taken(draws, 2), expected)


def test_a_saved_count_goes_on_where_it_stood():
    whole = taken(Draws(7), 9)
    draws = Draws(7)
    taken(draws, 4)
    loaded = Draws(7)
    loaded.load_state_dict(deepcopy(draws.state_dict()), strict=True)
    np.testing.assert_array_equal(taken(loaded, 5), whole[4:])


def test_the_count_is_the_whole_state_and_keeps_its_shape_and_type():
    draws = Draws(7).double()
    taken(draws, 3)
    (count,) = draws.state_dict().values()
    assert (count.dtype, count.shape, count.item()) == (torch.int64, torch.Size([]), 3)
