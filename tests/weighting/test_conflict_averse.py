from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from iamm.weighting.conflict_averse import ConflictAverseWeighting


def drawn(count, width, seed):
    return np.random.default_rng(seed).normal(size=(count, width))


def rule(gradients, conflict=0.4):
    return ConflictAverseWeighting(len(gradients), conflict=conflict).rule(gradients @ gradients.T)


def test_by_hand():
    """g = (4, 7), (−2, 7), c² = 0.34: g_0 = (1, 7) and c |g_0| = √(0.34 · 50) = √17, so that d = (0, 11) is in reach
    and both gain 77. a = (11, 22)/21: 4 · 11 − 2 · 22 = 0 and 7 · 33/21 = 11.
    """
    gradients = np.array([[4.0, 7.0], [-2.0, 7.0]])
    weights = rule(gradients, 0.34**0.5)
    np.testing.assert_allclose(weights, [11 / 21, 22 / 21], rtol=1e-11)
    np.testing.assert_allclose(weights @ gradients, [0.0, 11.0], atol=1e-10)


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("conflict", [0.2, 0.4, 0.9])
def test_two_scenes_agree_with_a_grid_of_combinations(seed, conflict):
    """The definition, over 10⁵ + 1 values of w."""
    gradients = drawn(2, 3, seed) * [[1.0], [3.0]]
    mean, share = gradients.mean(axis=0), np.linspace(0, 1, 100_001)
    combined = np.stack((share, 1 - share), axis=1) @ gradients
    reach = conflict * np.linalg.norm(mean)
    best = combined[np.argmin(combined @ mean + reach * np.linalg.norm(combined, axis=1))]
    expected = mean + reach * best / np.linalg.norm(best)
    np.testing.assert_allclose(rule(gradients, conflict) @ gradients, expected, atol=1e-4 * np.abs(expected).max())


def test_no_conflict_to_avoid_is_the_mean():
    np.testing.assert_array_equal(rule(drawn(5, 7, 0), 0.0), np.full(5, 0.2))


def test_orthonormal_gradients_weigh_1_plus_c_over_n():
    np.testing.assert_allclose(rule(np.eye(5), 0.4), np.full(5, 1.4 / 5), rtol=1e-11)


@pytest.mark.parametrize("count", [2, 3, 5, 8])
@pytest.mark.parametrize("conflict", [0.2, 0.4, 0.9])
def test_no_direction_within_reach_is_better_for_the_worst(count, conflict):
    for seed in range(5):
        gradients = drawn(count, 5, seed)
        mean, weights = gradients.mean(axis=0), rule(gradients, conflict)
        d, reach = weights @ gradients, conflict * np.linalg.norm(mean)
        assert (weights >= 1 / count).all()
        assert np.linalg.norm(d - mean) <= reach * (1 + 1e-9)
        near = np.random.default_rng(seed).normal(size=(4000, 5)) * np.logspace(-4, 0, 4000)[:, None] * reach + d
        near = mean + (near - mean) * np.minimum(1, reach / np.linalg.norm(near - mean, axis=1, keepdims=True))
        assert (near @ gradients.T).min(axis=1).max() <= (gradients @ d).min() + 1e-9 * reach


def test_one_scale_for_all_changes_nothing_and_order_only_the_order():
    gradients, order = drawn(5, 7, 3), [3, 0, 4, 1, 2]
    weights = rule(gradients)
    for scale in (1e-8, 1e8):
        np.testing.assert_allclose(rule(gradients * scale), weights, rtol=1e-9)
    np.testing.assert_allclose(rule(gradients[order]), weights[order], rtol=1e-9)


def test_opposite_gradients():
    """g = 3 and −1: g_0 = 1, and the second loses least at d = 1 − c. Of one length, g_0 = 0 and all is as it is."""
    np.testing.assert_allclose(rule(np.array([[3.0], [-1.0]]), 0.4), [0.5, 0.9], rtol=1e-12)
    np.testing.assert_array_equal(rule(np.array([[3.0], [-3.0]]), 0.4), [0.5, 0.5])


def test_a_zero_gradient_counts_in_the_mean_alone():
    """g = 3, 0 and −1: g_0 = ⅔, and −1 loses least at d = ⅔ (1 − c)."""
    np.testing.assert_allclose(rule(np.array([[3.0], [0.0], [-1.0]]), 0.4), [1 / 3, 1 / 3, 0.6], rtol=1e-12)
    np.testing.assert_array_equal(rule(np.zeros((3, 2))), np.full(3, 1 / 3))


def test_a_step_of_a_network(common, shared_step):
    """x = 0 and centres −g: as by hand, with the gradients of the trunk and the heads."""
    made = common(torch.tensor([[-4.0, -7.0], [2.0, -7.0]], dtype=torch.float64))
    weights, slope, heads = shared_step(ConflictAverseWeighting(2, conflict=0.34**0.5).double(), made)
    torch.testing.assert_close(weights, torch.tensor([11 / 21, 22 / 21], dtype=torch.float64))
    torch.testing.assert_close(slope, torch.tensor([0.0, 11.0], dtype=torch.float64))
    torch.testing.assert_close(heads, torch.tensor([0.0, -0.5], dtype=torch.float64))


@pytest.mark.parametrize("conflict", [-0.1, 1.0, math.nan])
def test_refuses_a_reach_out_of_range(conflict):
    with pytest.raises(ValueError, match=r"^`conflict` must be a number at least 0 and below 1\. Found "):
        ConflictAverseWeighting(2, conflict=conflict)
