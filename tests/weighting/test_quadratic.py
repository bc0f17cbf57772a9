from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import nnls

from iamm.errors import NoSolutionError
from iamm.weighting import quadratic
from iamm.weighting.quadratic import (
    definite,
    dual_cone_projections,
    minimum,
    positive,
    shortest_combination,
    shortest_of_two,
)


def spanned(rng, n, width):
    return rng.normal(size=(n, max(1, n // 2))) @ rng.normal(size=(max(1, n // 2), width))


def twins(rng, n, width):
    return rng.normal(size=(max(1, n // 2), width))[rng.integers(0, max(1, n // 2), size=n)]


def paired(rng, n, width):
    return np.resize(np.kron(rng.normal(size=(n, width)), [[1.0], [-1.0]]), (n, width))


FAMILIES = {
    "any": lambda rng, n, width: rng.normal(size=(n, width)),
    "in a plane": lambda rng, n, width: rng.normal(size=(n, 2)) @ rng.normal(size=(2, width)),
    "on a line": lambda rng, n, width: rng.normal(size=(n, 1)) * rng.normal(size=width),
    "dependent": spanned,
    "alike": lambda rng, n, width: rng.normal(size=(n, width)) + 3 * rng.normal(size=width),
    "equal": twins,
    "nearly equal": lambda rng, n, width: twins(rng, n, width) + 1e-6 * rng.normal(size=(n, width)),
    "opposite": paired,
    "nearly opposite": lambda rng, n, width: paired(rng, n, width) + 1e-3 * rng.normal(size=(n, width)),
    "sum to zero": lambda rng, n, width: (lambda g: g - g.mean(axis=0))(rng.normal(size=(n, width))),
    "whole numbers": lambda rng, n, width: rng.integers(-2, 3, size=(n, width)),
}
SIZES = [2, 3, 5, 8, 13, 32]


def scales(n):
    """Of all gradients; the largest programs take long."""
    return enumerate([1e-8, 1.0, 1e8] if n < 32 else [1e8])


def drawn(family, n, seed, spread=0.0):
    """Gradients without a zero one; of lengths up to 10^(2 spread) apart."""
    rng = np.random.default_rng([seed, n])
    gradients = FAMILIES[family](rng, n, max(2, n - 1 + seed % 5)).astype(float)
    gradients[(gradients == 0).all(axis=1), 0] = 1.0
    return gradients * 10 ** rng.uniform(-spread, spread, size=(n, 1))


def lengths(gradients):
    return np.sqrt((gradients**2).sum(axis=1))


def assert_shortest(gradients, weights, tolerance=1e-9):
    """KKT: g_i·d ≥ |d|² for all i, d = Σ a_i g_i; and d no longer than by least squares on the gradients themselves."""
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-14)
    norms = lengths(gradients)
    prices = norms.min() / norms
    units = gradients / norms[:, None]
    d = (weights / prices) @ units  # in units of the shortest gradient, like all that follows
    assert (units @ d - d @ d * prices).min() >= -tolerance
    least = nnls(np.vstack([units.T, prices]), np.append(np.zeros(units.shape[1]), 1.0), maxiter=1000)[0]
    best = least @ units / (least @ prices)
    assert d @ d <= best @ best + tolerance


def assert_projections(gradients, rows, tolerance=1e-9):
    """KKT: d = Σ_j v_j g_j opposes no g_j, v ≥ e_i, and the gap (v − e_i)·Gv between vᵀGv and the least is 0."""
    norms = lengths(gradients)
    units, identity = gradients / norms[:, None], np.eye(len(gradients))
    shares = rows * norms / norms[:, None]
    assert (rows >= identity).all()
    gains = shares @ units @ units.T  # (n, n), d·g_j for unit gradients
    assert gains.min() >= -tolerance
    assert np.abs(((shares - identity) * gains).sum(axis=1)).max() <= tolerance


# The programs


def test_minimum_by_hand():
    """Q = (2 1; 1 2). h = (3, 3): Q⁻¹h = (1, 1). h = (3, 1): Q⁻¹h = (5/3, −1/3), so u_2 = 0 and u_1 = 3/2.
    h = (−1, 1): u = (0, ½). h = (−1, −2): u = 0."""
    linear = np.array([[3.0, 3.0], [3.0, 1.0], [-1.0, 1.0], [-1.0, -2.0]])
    found = minimum(np.array([[2.0, 1.0], [1.0, 2.0]]), linear)
    np.testing.assert_allclose(found, [[1.0, 1.0], [1.5, 0.0], [0.0, 0.5], [0.0, 0.0]], rtol=1e-15)


def test_minimum_of_a_variable_that_enters_late():
    """h = (2, 0), Q = (1 −1; −1 2): only u_1 falls at 0, to 2, where the slope of u_2 is 0 + 2: Q⁻¹h = (4, 2)."""
    found = minimum(np.array([[1.0, -1.0], [-1.0, 2.0]]), np.array([[2.0, 0.0]]))
    np.testing.assert_allclose(found, [[4.0, 2.0]], rtol=1e-14)


@pytest.mark.parametrize("n", SIZES)
def test_minimum_agrees_with_least_squares(n):
    """½ uᵀM Mᵀu − (M y)·u is ½ |Mᵀu − y|² but for a constant."""
    rng = np.random.default_rng(n)
    matrix, right = rng.normal(size=(n, n + 5)) / math.sqrt(n + 5), rng.normal(size=(7, n + 5))
    expected = [nnls(matrix.T, y, maxiter=1000)[0] for y in right]
    np.testing.assert_allclose(minimum(matrix @ matrix.T, right @ matrix.T), expected, atol=1e-9)


def test_rows_do_not_know_of_each_other():
    gradients = drawn("any", 8, 0)
    gram = gradients @ gradients.T / 8
    alone = [minimum(gram, row[None])[0] for row in -gram]
    np.testing.assert_allclose(minimum(gram, -gram), alone, rtol=1e-12, atol=1e-14)


def test_a_program_that_does_not_end_is_an_error(monkeypatch):
    monkeypatch.setattr(quadratic, "ROUNDS", 1)
    with pytest.raises(NoSolutionError, match=r"Quadratic programs .* must end within 1 rounds\. Found one"):
        minimum(np.array([[1.0, -1.0], [-1.0, 2.0]]), np.array([[2.0, 0.0]]))


def test_definite_by_hand():
    """(1 1+δ; 1+δ 1) has the eigenvalues 2 + δ and −δ; the latter becomes δ, half of which goes into each entry."""
    found = definite(np.array([[1.0, 1.25], [1.25, 1.0]]))
    np.testing.assert_allclose(found, [[1.25, 1.0], [1.0, 1.25]], rtol=1e-14)


def test_definite_leaves_what_is_definite():
    matrix = np.array([[1.0, 0.5], [0.5, 1.0]])
    assert definite(matrix) is matrix


# The shortest convex combination


@pytest.mark.parametrize("seed", range(9))
def test_the_closed_form_of_two_is_that_of_any_number(seed):
    """A third gradient, equal to the second, changes nothing."""
    gradients = drawn("any", 2, seed, spread=seed % 3)
    three = shortest_combination((lambda g: g @ g.T)(gradients[[0, 1, 1]]))
    two = shortest_combination(gradients @ gradients.T)
    np.testing.assert_allclose([three[0], three[1] + three[2]], two, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((4.0, 1.0, 0.0), [0.2, 0.8]),
        ((1.0, 1.0, -1.0), [0.5, 0.5]),
        ((4.0, 1.0, 1.5), [0.0, 1.0]),
        ((1.0, 1.0, 1.0), [0.5, 0.5]),
        ((0.0, 3.0, 0.0), [1.0, 0.0]),
        ((1.0, 1.0, 1.0 + 1e-7), [0.5, 0.5]),
    ],
)
def test_two_by_hand(numbers, expected):
    """|g_1|², |g_2|², g_1·g_2: orthogonal, opposite, the shorter alone, equal, zero, equal but for rounding."""
    np.testing.assert_allclose(shortest_of_two(*numbers), expected, rtol=1e-15)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", SIZES)
def test_shortest_combination_is_optimal(family, n):
    for seed, scale in scales(n):
        gradients = drawn(family, n, seed) * scale
        assert_shortest(gradients, shortest_combination(gradients @ gradients.T))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", SIZES)
def test_shortest_combination_of_gradients_of_very_different_length(family, n):
    """Where long gradients cancel, float64 products tell what they add to a short one up to 1e5 times its length."""
    vanishes = family not in ("any", "alike", "dependent")
    for seed, _ in scales(n):
        gradients = drawn(family, n, seed, spread=2.0 if vanishes else 4.0)
        assert_shortest(gradients, shortest_combination(gradients @ gradients.T), 1e-7 if vanishes else 1e-9)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 7).flatmap(lambda n: arrays(int, (n, 3), elements=st.integers(-2, 2))))
def test_shortest_combination_of_small_whole_numbers(numbers):
    gradients = numbers.astype(float)
    weights = shortest_combination(gradients @ gradients.T)
    zero = lengths(gradients) == 0
    if zero.any():
        np.testing.assert_array_equal(weights, zero / zero.sum())
    else:
        assert_shortest(gradients, weights)


# The projections on the dual cone


def test_projections_by_hand():
    """g = (1, 0), (−1, 1): g_1 + ½ g_2 = (½, ½) ⊥ g_2, and g_2 + g_1 = (0, 1) ⊥ g_1."""
    found = dual_cone_projections(np.array([[1.0, -1.0], [-1.0, 2.0]]))
    np.testing.assert_allclose(found, [[1.0, 0.5], [1.0, 1.0]], rtol=1e-15)


@pytest.mark.parametrize("seed", range(9))
def test_the_projections_of_two_are_those_of_any_number(seed):
    """A third gradient, orthogonal to both, changes nothing."""
    gradients = np.pad(drawn("any", 2, seed, spread=seed % 3), [(0, 1), (0, 1)])
    gradients[2, -1] = 3.0
    gram = gradients @ gradients.T
    found = dual_cone_projections(gram)
    np.testing.assert_allclose(found[:2, :2], dual_cone_projections(gram[:2, :2]), rtol=1e-12)
    np.testing.assert_allclose(found[2], [0.0, 0.0, 1.0], atol=1e-14)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("spread", [0.0, 4.0])
def test_projections_are_optimal(family, n, spread):
    for seed, scale in scales(n):
        gradients = drawn(family, n, seed, spread) * scale
        assert_projections(gradients, dual_cone_projections(gradients @ gradients.T), 1e-7)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 7).flatmap(lambda n: arrays(int, (n, 3), elements=st.integers(-2, 2))))
def test_projections_of_small_whole_numbers(numbers):
    gradients = numbers.astype(float)
    found = dual_cone_projections(gradients @ gradients.T)
    zero = lengths(gradients) == 0
    np.testing.assert_array_equal(found[zero], np.eye(len(gradients))[zero])
    np.testing.assert_array_equal(found[:, zero], np.eye(len(gradients))[:, zero])
    if not zero.all():
        assert_projections(gradients[~zero], found[~zero][:, ~zero])


# What float32 leaves of a Gram matrix


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("n", [3, 8, 13])
def test_products_in_float32_give_nearly_the_same_step(family, n):
    """Off by 1e-7 they are no Gram matrix any more; the step found from them still is nearly that of the gradients."""
    for seed in range(4):
        gradients = drawn(family, n, seed, spread=2.0).astype(np.float32)
        gram = (gradients @ gradients.T).astype(float)
        norms = lengths(gradients.astype(float))
        units = gradients / norms[:, None]
        shares = dual_cone_projections(gram) * norms / norms[:, None]
        assert np.abs(shares).max() < 1e4
        assert (shares @ units @ units.T).min() > -1e-4
        assert_shortest(gradients.astype(float), shortest_combination(gram), 1e-5)


def test_positive():
    np.testing.assert_array_equal(positive(np.array([2.0, 0.0])), [2.0, np.inf])
