from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from torch import tensor

from iamm.weighting.multiple_gradient_descent import MultipleGradientDescentWeighting


def rule(gradients):
    return MultipleGradientDescentWeighting(len(gradients)).rule(gradients @ gradients.T)


def drawn(count, width, seed, lengths=1.0):
    return np.random.default_rng(seed).normal(size=(count, width)) * np.broadcast_to(lengths, count)[:, None]


def shortest(gradients):
    """Of the points nearest to 0 on the flats through each choice of gradients, the nearest one between its own."""
    found, by_length = [], gradients[np.argsort(np.linalg.norm(gradients, axis=1))]
    for chosen in product([False, True], repeat=len(gradients)):
        corners = by_length[list(chosen)]
        if len(corners):
            edges = corners[1:] - corners[0]
            rest, *_ = np.linalg.lstsq(edges.T, -corners[0], rcond=None)
            if (rest >= -1e-12).all() and rest.sum() <= 1 + 1e-12:
                found.append(corners[0] + rest @ edges)
    return min(found, key=np.linalg.norm)


def test_by_hand():
    """g = (2, 0), (0, 1): a_1 : a_2 = |g_2|² : |g_1|² = 1 : 4, d = (2/5, 4/5), and d·g_1 = d·g_2 = |d|² = 4/5."""
    gradients = np.array([[2.0, 0.0], [0.0, 1.0]])
    weights = rule(gradients)
    np.testing.assert_allclose(weights, [0.2, 0.8], rtol=1e-15)
    np.testing.assert_allclose(gradients @ (weights @ gradients), [0.8, 0.8], rtol=1e-15)


def test_three_by_hand():
    """g = (1, 2), (1, −1), (3, 0): the segment from (1, 2) to (1, −1) is nearest at (1, 0): a third of it from g_2."""
    np.testing.assert_allclose(rule(np.array([[1.0, 2.0], [1.0, -1.0], [3.0, 0.0]])), [1 / 3, 2 / 3, 0.0], atol=1e-14)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_two_scenes_in_closed_form(seed, scale):
    """a_1 = (g_2 − g_1)·g_2 / |g_1 − g_2|², cut to [0, 1]."""
    one, other = gradients = drawn(2, 3, seed, [1.0, 3.0]) * scale
    expected = min(max((other - one) @ other / ((one - other) @ (one - other)), 0.0), 1.0)
    np.testing.assert_allclose(rule(gradients), [expected, 1 - expected], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("spread", [0.0, 2.0, 4.0])
def test_agrees_with_a_search_over_all_choices(count, spread):
    for seed in range(3):
        lengths = np.random.default_rng(seed).permutation(np.logspace(-spread, spread, count))
        gradients = drawn(count, 11, seed, lengths) + lengths[:, None] / 3
        expected = shortest(gradients)
        np.testing.assert_allclose(rule(gradients) @ gradients, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize("count", [3, 5, 7])
def test_agrees_where_gradients_depend_on_each_other(count):
    for seed in range(5):
        gradients = drawn(count, 2, seed) @ drawn(2, 11, seed + 1)
        np.testing.assert_allclose(rule(gradients) @ gradients, shortest(gradients), atol=1e-12)


def test_orthonormal_gradients_give_the_mean():
    np.testing.assert_allclose(rule(np.eye(7)), np.full(7, 1 / 7), rtol=1e-14)


def test_no_scene_loses():
    """d·g_i ≥ |d|², with equality where a_i > 0; |d| is no longer than any gradient or their mean."""
    for seed in range(20):
        gradients = drawn(5, 7, seed, [1.0, 9.0, 3.0, 0.2, 1.0])
        weights = rule(gradients)
        d = weights @ gradients
        gains, square = gradients @ d, d @ d
        np.testing.assert_allclose(weights.sum(), 1.0, rtol=1e-15)
        np.testing.assert_allclose(gains[weights > 0], square, rtol=1e-9)
        assert (gains >= square * (1 - 1e-9)).all()
        assert square < min((gradients**2).sum(axis=1).min(), (gradients.mean(axis=0) ** 2).sum())


def test_gradients_that_cancel_give_no_step():
    """Opposite ones; three at 120°, one twice as long: a ∝ 1/|g|; and a cross, in which a is not the only choice."""
    third = math.sqrt(3) / 2
    star = np.array([[1.0, 0.0], [-0.5, third], [-1.0, -2 * third]])
    np.testing.assert_allclose(rule(np.array([[1.0, 2.0], [-3.0, -6.0]])), [0.75, 0.25], rtol=1e-15)
    np.testing.assert_allclose(rule(star), [0.4, 0.4, 0.2], rtol=1e-9)
    cross = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0], [0.0, -4.0]])
    np.testing.assert_allclose(rule(cross) @ cross, 0.0, atol=1e-12)


def test_a_zero_gradient_takes_all_weight():
    gradients = np.array([[3.0, 1.0], [0.0, 0.0], [1.0, -2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(rule(gradients), [0.0, 0.5, 0.0, 0.5])
    np.testing.assert_array_equal(rule(gradients[:2]), [0.0, 1.0])
    np.testing.assert_array_equal(rule(np.zeros((3, 2))), np.full(3, 1 / 3))


def test_one_scale_for_all_changes_nothing_and_order_only_the_order():
    gradients, order = drawn(5, 7, 3), [3, 0, 4, 1, 2]
    weights = rule(gradients)
    np.testing.assert_allclose(rule(gradients * 1e6), weights, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(rule(gradients[order]), weights[order], rtol=1e-12, atol=1e-15)


def test_goes_straight_to_the_nearest_point_of_the_front(common, shared_step):
    """L_i = ½ |x − c_i|², c = (±1, 0): the front is the segment between, and x − d the nearest point on it."""
    made = common(tensor([[1.0, 0.0], [-1.0, 0.0]]).double(), start=tensor([0.3, 5.0]).double())
    _, slope, _ = shared_step(MultipleGradientDescentWeighting(2).double(), made)
    np.testing.assert_allclose((made.x - slope).detach().numpy(), [0.3, 0.0], atol=1e-6)
