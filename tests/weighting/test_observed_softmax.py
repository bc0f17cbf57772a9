from __future__ import annotations

import math

import numpy as np

from iamm.weighting.observed_softmax import observed_softmax, observed_weights

SCORES = [math.log(2), 5.0, 0.0, math.log(5)]


def test_by_hand():
    """Without the second of four: 2 : 1 : 5 of 8; as weights they share 3/4."""
    observed, shares = [True, False, True, True], np.array([2, 0, 1, 5]) / 8
    np.testing.assert_allclose(observed_softmax(SCORES, observed), shares, rtol=1e-15)
    np.testing.assert_allclose(observed_weights(SCORES, observed), shares * 0.75, rtol=1e-15)


def test_all_observed_is_the_softmax():
    expected = np.exp(SCORES) / np.exp(SCORES).sum()
    np.testing.assert_allclose(observed_softmax(SCORES, [True] * 4), expected, rtol=1e-15)
    np.testing.assert_allclose(observed_weights(SCORES, [True] * 4), expected, rtol=1e-15)


def test_a_lone_scene_takes_all_and_none_takes_nothing():
    lone, none = [False, True, False, False], [False] * 4
    assert observed_softmax(SCORES, lone) == lone
    assert observed_weights(SCORES, lone) == [0, 0.25, 0, 0]
    assert observed_softmax(SCORES, none) == observed_weights(SCORES, none) == [0, 0, 0, 0]


def test_what_is_not_observed_may_be_anything():
    assert observed_softmax([0.0, math.nan, math.inf], [True, False, False]) == [1, 0, 0]


def test_large_scores_do_not_overflow():
    assert observed_softmax([1e8, -1e8, 1e8, 1e300], [True, True, True, False]) == [0.5, 0, 0.5, 0]


def test_values_that_are_not_finite_are_reported():
    """A loss that diverged makes weights that are no numbers, which the loop finds; no error of its own."""
    assert all(map(math.isnan, observed_softmax([0.0, math.nan], [True, True])))
    assert math.isnan(observed_softmax([0.0, math.inf], [True, True])[1])
