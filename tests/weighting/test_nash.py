from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from iamm.errors import NoSolutionError
from iamm.weighting.nash import NashWeighting


def drawn(count, width, seed):
    return np.random.default_rng(seed).normal(size=(count, width))


def rule(gradients):
    return NashWeighting(len(gradients)).rule(gradients @ gradients.T)


def test_by_hand():
    """g = (1, 0), (−1, √3): cos = −½, lengths 1 and 2; x = (1, ½)/√½ = (√2, 1/√2) and a = x/2."""
    found = rule(np.array([[1.0, 0.0], [-1.0, 3**0.5]]))
    np.testing.assert_allclose(found, [2**0.5 / 2, 2**0.5 / 4], rtol=1e-14)


@pytest.mark.parametrize("seed", range(9))
def test_two_scenes_in_closed_form(seed):
    """a_i = 1/(2 |g_i| √(1 + cos)): the direction halves the angle."""
    gradients = drawn(2, 3, seed) * [[1.0], [40.0]]
    lengths = np.linalg.norm(gradients, axis=1)
    cosine = gradients[0] @ gradients[1] / lengths.prod()
    np.testing.assert_allclose(rule(gradients), 1 / (2 * lengths * (1 + cosine) ** 0.5), rtol=1e-12)


def test_orthonormal_gradients_give_the_mean():
    np.testing.assert_allclose(rule(np.eye(7)), np.full(7, 1 / 7), rtol=1e-15)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 17])
def test_gains_times_weights_are_alike_and_the_step_has_one_length(count):
    """g_i·d = 1/(n² a_i) and |d| = 1/√n."""
    for seed in range(5):
        gradients = drawn(count, 3 * count, seed) * np.logspace(-3, 2, count)[:, None]
        weights = rule(gradients)
        d = weights @ gradients
        np.testing.assert_allclose(gradients @ d * weights, count**-2, rtol=1e-9)
        np.testing.assert_allclose(np.linalg.norm(d), count**-0.5, rtol=1e-9)


def test_no_direction_has_a_larger_product_of_gains():
    gradients = drawn(5, 7, 1)
    d = rule(gradients) @ gradients
    best = np.log(gradients @ d).sum()
    rng = np.random.default_rng(2)
    for size in (1.0, 0.1, 1e-3):
        others = d + size * np.linalg.norm(d) * rng.normal(size=(3000, 7))
        others *= np.linalg.norm(d) / np.linalg.norm(others, axis=1, keepdims=True)
        gains = others @ gradients.T
        gains = gains[(gains > 0).all(axis=1)]
        assert len(gains) > 0
        assert np.log(gains).sum(axis=1).max() < best


def test_the_scale_of_a_loss_does_not_matter():
    gradients, scales = drawn(4, 9, 3), np.array([[1e-4], [1.0], [1e4], [30.0]])
    np.testing.assert_allclose(rule(gradients * scales) @ (gradients * scales), rule(gradients) @ gradients, rtol=1e-9)


def test_order_changes_only_the_order():
    gradients, order = drawn(5, 7, 4), [3, 0, 4, 1, 2]
    np.testing.assert_allclose(rule(gradients[order]), rule(gradients)[order], rtol=1e-12)


def test_a_zero_gradient_takes_no_part():
    """As by hand for two, over three."""
    found = rule(np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 3**0.5]]))
    np.testing.assert_allclose(found, [2**0.5 / 3, 0.0, 2**0.5 / 6], rtol=1e-14)
    np.testing.assert_array_equal(rule(np.zeros((3, 2))), np.zeros(3))


def test_opposite_gradients_stop_the_training(common, shared_step):
    """Two scenes with x between their centres: a loss to one is a gain to the other."""
    made = common(torch.tensor([[-1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(NoSolutionError, match="gradients that do not cancel"):
        shared_step(NashWeighting(2), made)


def test_a_step_of_a_network(common, shared_step):
    """x = 0, centres (−1, 0) and (1, −√3): gradients as by hand, so that x.grad = Σ a_i g_i = (√2/4)(1, √3)."""
    made = common(torch.tensor([[-1.0, 0.0], [1.0, -math.sqrt(3)]], dtype=torch.float64))
    weights, slope, _ = shared_step(NashWeighting(2).double(), made)
    root = math.sqrt(2) / 4
    torch.testing.assert_close(weights, torch.tensor([2 * root, root], dtype=torch.float64))
    torch.testing.assert_close(slope, torch.tensor([root, root * math.sqrt(3)], dtype=torch.float64))
