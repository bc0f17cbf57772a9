from __future__ import annotations

import numpy as np
import pytest

from iamm.weighting.cosines import cosines, spectrum


def drawn(count, width, seed=0):
    gradients = np.random.default_rng(seed).normal(size=(count, width))
    return gradients, gradients @ gradients.T


def test_by_hand():
    """g = (3, 0), (0, 2), (1, 1): lengths 3, 2, √2; cosines 0 and 1/√2."""
    norms, cosine = cosines(np.array([[9.0, 0.0, 3.0], [0.0, 4.0, 2.0], [3.0, 2.0, 2.0]]))
    half = 0.5**0.5
    np.testing.assert_allclose(norms, [3.0, 2.0, 2**0.5])
    np.testing.assert_allclose(cosine, [[1.0, 0.0, half], [0.0, 1.0, half], [half, half, 1.0]], rtol=1e-15)


def test_lengths_change_no_cosine():
    gradients, gram = drawn(5, 7)
    scaled = gradients * np.array([1e-8, 1.0, 1e8, 30.0, 1e-3])[:, None]
    np.testing.assert_allclose(cosines(scaled @ scaled.T)[1], cosines(gram)[1], rtol=1e-12)


def test_a_zero_gradient_has_zeros():
    gram = np.diag([4.0, 0.0, 1.0])
    norms, cosine = cosines(gram)
    np.testing.assert_array_equal(norms, [2.0, 0.0, 1.0])
    np.testing.assert_array_equal(cosine, np.diag([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("rank", [1, 2, 3, 5, 7])
def test_the_spectrum_tells_how_many_gradients_depend_on_the_others(rank):
    basis, _ = drawn(rank, 11)
    gradients = np.random.default_rng(1).normal(size=(7, rank)) @ basis * np.logspace(-4, 4, 7)[:, None]
    _, cosine = cosines(gradients @ gradients.T)
    noise = np.random.default_rng(2).uniform(-2e-7, 2e-7, size=(7, 7))
    values, vectors, zeros = spectrum(cosine + noise + noise.T)
    assert zeros == 7 - rank
    assert (np.diff(values) >= 0).all()
    np.testing.assert_allclose(vectors * values @ vectors.T, cosine + noise + noise.T, atol=1e-12)
