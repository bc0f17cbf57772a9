from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from iamm.errors import NoSolutionError
from iamm.weighting.fair import FairWeighting
from iamm.weighting.nash import NashWeighting

ALPHAS = [0.5, 2.0, 5.0]


def drawn(count, width, seed):
    return np.random.default_rng(seed).normal(size=(count, width))


def rule(gradients, alpha=2.0):
    return FairWeighting(len(gradients), alpha=alpha).rule(gradients @ gradients.T)


def test_by_hand():
    """α = 2, g = (2, 1), (1, 2): (5 + 4) x = x^(−½), x = 9^(−⅔) each, and a = x/2."""
    np.testing.assert_allclose(rule(np.array([[2.0, 1.0], [1.0, 2.0]])), np.full(2, 9 ** (-2 / 3) / 2), rtol=1e-14)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_orthogonal_gradients_in_closed_form(alpha):
    """|g_i|² x = x^(−1/α): a_i = |g_i|^(−2α/(1+α))/n, 1/n where they are orthonormal."""
    lengths = np.array([1.0, 1e-3, 50.0])
    np.testing.assert_allclose(rule(np.diag(lengths), alpha), lengths ** (-2 * alpha / (1 + alpha)) / 3, rtol=1e-12)
    np.testing.assert_allclose(rule(np.eye(7), alpha), np.full(7, 1 / 7), rtol=1e-15)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_two_scenes_agree_with_all_directions_of_the_plane(alpha):
    """The fairest of a million directions of one length."""
    gradients = np.array([[1.0, 0.2], [-1.5, 2.0]])
    angles = np.linspace(0, 2 * np.pi, 1_000_001)
    directions = np.stack((np.cos(angles), np.sin(angles)))
    gains = gradients @ directions
    with np.errstate(divide="ignore", invalid="ignore"):
        fairness = np.where((gains > 0).all(axis=0), (gains ** (1 - alpha)).sum(axis=0) / (1 - alpha), -np.inf)
    d = rule(gradients, alpha) @ gradients
    np.testing.assert_allclose(d / np.linalg.norm(d), directions[:, fairness.argmax()], atol=1e-5)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("count", [2, 3, 5, 8, 17])
def test_a_gain_is_the_inverse_power_of_the_weight(alpha, count):
    """With n d = Σ x_i g_i: n g_i·d = x_i^(−1/α)."""
    for seed in range(3):
        gradients = drawn(count, 3 * count, seed) * np.logspace(-1, 2, count)[:, None]
        weights = rule(gradients, alpha)
        gains = gradients @ (weights @ gradients)
        np.testing.assert_allclose(count * gains, (count * weights) ** (-1 / alpha), rtol=1e-9)


def test_alpha_1_is_nash():
    gradients = drawn(5, 7, 0)
    np.testing.assert_array_equal(rule(gradients, 1.0), NashWeighting(5).rule(gradients @ gradients.T))


def test_a_small_alpha_is_the_mean_where_that_opposes_none():
    gradients = np.abs(drawn(4, 5, 1))
    np.testing.assert_allclose(rule(gradients, 1e-3), np.full(4, 0.25), rtol=1e-2)


def test_the_larger_alpha_the_larger_the_least_gain():
    """g = (2, 1), (1, −1): per length of the step at most |0.2 g_1 + 0.8 g_2| = |(1.2, −0.6)|, the least of all
    combinations, and α → ∞ gives that.
    """
    gradients = np.array([[2.0, 1.0], [1.0, -1.0]])
    steps = [rule(gradients, alpha) @ gradients for alpha in (0.2, 0.5, 1.0, 2.0, 8.0, 1000.0)]
    least = [(gradients @ d).min() / np.linalg.norm(d) for d in steps]
    assert (np.diff(least) > 0).all()
    np.testing.assert_allclose(least[-1], 1.8**0.5, rtol=2e-3)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_common_scale_is_a_power_of_it(alpha):
    gradients = drawn(4, 9, 3)
    for scale in (1e-8, 1e8):
        expected = rule(gradients, alpha) * scale ** (-2 * alpha / (1 + alpha))
        np.testing.assert_allclose(rule(gradients * scale, alpha), expected, rtol=1e-10)


def test_order_changes_only_the_order():
    gradients, order = drawn(5, 7, 4), [3, 0, 4, 1, 2]
    np.testing.assert_allclose(rule(gradients[order]), rule(gradients)[order], rtol=1e-12)


def test_a_zero_gradient_takes_no_part():
    """As by hand for two, over three."""
    found = rule(np.array([[2.0, 1.0], [0.0, 0.0], [1.0, 2.0]]))
    np.testing.assert_allclose(found, np.array([1.0, 0.0, 1.0]) * 9 ** (-2 / 3) / 3, rtol=1e-14)
    np.testing.assert_array_equal(rule(np.zeros((3, 2))), np.zeros(3))


def test_opposite_gradients_stop_the_training(common, shared_step):
    made = common(torch.tensor([[-1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(NoSolutionError, match="gradients that do not cancel"):
        shared_step(FairWeighting(2), made)


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.inf, math.nan])
def test_refuses_an_alpha_that_is_not_positive_and_finite(alpha):
    with pytest.raises(ValueError, match=r"^`alpha` must be a number above 0\. Found "):
        FairWeighting(2, alpha=alpha)
