from __future__ import annotations

import numpy as np
import pytest

from iamm.weighting.aligned import AlignedWeighting, alignment


def drawn(count, width, seed, lengths=1.0):
    return np.random.default_rng(seed).normal(size=(count, width)) * np.broadcast_to(lengths, count)[:, None]


def rule(gradients):
    return AlignedWeighting(len(gradients)).rule(gradients @ gradients.T)


def aligned(gradients, rank):
    """σ_min U Vᵀ, the rows the aligned gradients, from the singular values of the gradients themselves."""
    left, sigma, right = np.linalg.svd(gradients, full_matrices=False)
    return sigma[rank - 1] * left[:, :rank] @ right[:rank]


def assert_same_step(gradients, rank, rtol=1e-6):
    expected = aligned(gradients, rank).mean(axis=0)
    np.testing.assert_allclose(rule(gradients) @ gradients, expected, atol=rtol * np.abs(expected).max(), rtol=0)


def test_by_hand():
    """g = (1, 0), (0, 3): orthogonal, so that they are only cut to the lesser length 1: a = (1, ⅓)/2."""
    np.testing.assert_allclose(rule(np.diag([1.0, 3.0])), [1 / 2, 1 / 6], rtol=1e-15)


def test_orthonormal_gradients_give_the_mean():
    np.testing.assert_allclose(rule(np.eye(5)), np.full(5, 0.2), rtol=1e-14)


@pytest.mark.parametrize("seed", range(7))
def test_two_scenes_in_closed_form(seed):
    """With s = σ_1 σ_2 = √det G and σ_1 + σ_2 = √(tr G + 2s): B = (adj G + s) / (σ_1 (σ_1 + σ_2))."""
    gradients = drawn(2, 3, seed, [1.0, 5.0])
    (a, b), (_, c) = gram = gradients @ gradients.T
    s, both = (a * c - b * b) ** 0.5, (a + c + 2 * (a * c - b * b) ** 0.5) ** 0.5
    largest = (both + (both**2 - 4 * s) ** 0.5) / 2
    expected = np.array([[c + s, -b], [-b, a + s]]) / (largest * both)
    np.testing.assert_allclose(alignment(gram), expected, rtol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 17, 32])
@pytest.mark.parametrize("spread", [0.0, 2.0, 4.0])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_agrees_with_the_singular_values_of_the_gradients(count, spread, scale):
    for seed in range(3):
        lengths = np.random.default_rng(seed).permutation(np.logspace(-spread, spread, count)) * scale
        assert_same_step(drawn(count, 41, seed, lengths), count)


@pytest.mark.parametrize("count", [2, 3, 8, 32])
def test_aligned_gradients_are_orthogonal_and_as_long_as_the_least_singular_value(count):
    gradients = drawn(count, 37, count, np.logspace(-1, 2, count))
    found = alignment(gradients @ gradients.T).T @ gradients
    least = np.linalg.svd(gradients, compute_uv=False).min()
    np.testing.assert_allclose(found @ found.T / least**2, np.eye(count), atol=1e-9)


@pytest.mark.parametrize(("count", "rank"), [(3, 2), (5, 1), (5, 4), (8, 3), (32, 7)])
@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_gradients_that_depend_on_each_other(count, rank, spread):
    mixed = drawn(count, rank, 1) @ drawn(rank, 37, 2)
    assert_same_step(mixed * np.logspace(-spread, spread, count)[:, None], rank)


def test_equal_gradients_share_their_weight():
    """Twice g: rank 1, σ = √2 |g|, V = (1, 1)/√2, so that B = V Vᵀ and a = (½, ½)."""
    np.testing.assert_allclose(rule(np.array([[3.0, 4.0], [3.0, 4.0]])), [0.5, 0.5], rtol=1e-14)


@pytest.mark.parametrize("off", [-1e-7, 1e-7])
def test_equal_gradients_stay_equal_within_the_rounding_of_float32(off):
    gram = np.array([[1.0, 1.0 + off, 0.1], [1.0 + off, 1.0, 0.1], [0.1, 0.1, 1.0]])
    exact = np.array([[1.0, 1.0, 0.1], [1.0, 1.0, 0.1], [0.1, 0.1, 1.0]])
    weighting = AlignedWeighting(3)
    np.testing.assert_allclose(weighting.rule(gram), weighting.rule(exact), atol=1e-6)


def test_opposite_gradients_cancel():
    """g and −g: V = (1, −1)/√2 and Vᵀ 1 = 0."""
    np.testing.assert_allclose(rule(np.array([[3.0, 4.0], [-3.0, -4.0]])), 0.0, atol=1e-15)


def test_a_zero_gradient_weighs_nothing():
    """g = (1, 0), 0, (0, 3): as by hand for two, over three."""
    np.testing.assert_allclose(rule(np.diag([1.0, 0.0, 3.0])), [1 / 3, 0.0, 1 / 9], rtol=1e-14)
    np.testing.assert_array_equal(rule(np.zeros((3, 3))), np.zeros(3))


def test_a_short_gradient_is_not_taken_for_rounding():
    """Orthogonal, 1e8 apart in length: σ² are 1e16 apart, beyond what G in float64 can tell from its rounding."""
    gradients = np.array([[1.0, 2.0], [-2.0, 1.0]]) * [[1e8], [1.0]] / 5**0.5
    np.testing.assert_allclose(rule(gradients), [0.5e-8, 0.5], rtol=1e-6)


def test_one_scale_for_all_changes_nothing_and_order_only_the_order():
    gradients, order = drawn(5, 7, 3), [3, 0, 4, 1, 2]
    weights = rule(gradients)
    np.testing.assert_allclose(rule(gradients * 1e6), weights, rtol=1e-9)
    np.testing.assert_allclose(rule(gradients[order]), weights[order], rtol=1e-9)


def test_progress_along_each_gradient():
    """d · g_i = σ_min (G^½ 1)_i / n, below 0 only where conflict is strong and lengths differ much."""
    for seed in range(20):
        gradients = drawn(3, 5, seed, [1.0, 9.0, 3.0])
        least = np.linalg.svd(gradients, compute_uv=False).min()
        values, vectors = np.linalg.eigh(gradients @ gradients.T)
        expected = least / 3 * (vectors * values**0.5 @ vectors.T).sum(axis=1)
        np.testing.assert_allclose(gradients @ (rule(gradients) @ gradients), expected, rtol=1e-6)
