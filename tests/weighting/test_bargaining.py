from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from iamm.errors import NoSolutionError
from iamm.weighting.bargaining import bargain

ALPHAS = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0]
COUNTS = [2, 3, 5, 8, 17, 32]


def drawn(count, seed, width=None):
    return np.random.default_rng(seed).normal(size=(count, width or 3 * count))


def spread(count, seed, decades):
    return 10.0 ** np.random.default_rng(seed + 1000).uniform(-decades / 2, decades / 2, size=(count, 1))


def assert_solved(gram, weights, alpha, rtol=1e-9):
    assert (weights > 0).all()
    np.testing.assert_allclose(gram @ weights, weights ** (-1 / alpha), rtol=rtol)


def assert_solved_to_rounding(gram, weights, alpha):
    """Where long gradients cancel in a short gain, no float64 weights give the gain itself to 9 digits."""
    assert (weights > 0).all()
    off = gram @ weights - weights ** (-1 / alpha)
    assert (np.abs(off) <= 1e-9 * weights ** (-1 / alpha) + 1e-13 * np.abs(gram) @ weights).all()


def test_by_hand():
    """|g_1| = 1, |g_2| = 2, cos = −½: (G a)_1 = √2 − √2/2 = 1/√2 = 1/a_1 and (G a)_2 = −√2 + 2√2 = √2 = 1/a_2."""
    found = bargain(np.array([[1.0, -1.0], [-1.0, 4.0]]))
    np.testing.assert_allclose(found, [2**0.5, 2**0.5 / 2], rtol=1e-14)


@pytest.mark.parametrize(("alpha", "expected"), [(1.0, 8**-0.5), (2.0, 1 / 4), (0.5, 1 / 2)])
def test_a_scene_alone_and_two_alike_by_hand(alpha, expected):
    """8 a = (5 + 3) a = a^(−1/α), so that a = 8^(−α/(1+α))."""
    np.testing.assert_allclose(bargain(np.array([[8.0]]), alpha), [expected], rtol=1e-14)
    np.testing.assert_allclose(bargain(np.array([[5.0, 3.0], [3.0, 5.0]]), alpha), [expected] * 2, rtol=1e-14)


@pytest.mark.parametrize("cosine", [-0.999, -0.5, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("lengths", [(1.0, 1.0), (3.0, 0.2), (1e-8, 1.0), (1e8, 1.0), (1e8, 1e8), (1e-8, 1e-8)])
def test_two_scenes_in_closed_form(cosine, lengths):
    """α = 1: a_i = 1/(|g_i| √(1 + cos))."""
    gram = np.array([[1.0, cosine], [cosine, 1.0]]) * np.outer(lengths, lengths)
    np.testing.assert_allclose(bargain(gram), 1 / (np.array(lengths) * (1 + cosine) ** 0.5), rtol=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_orthogonal_gradients_in_closed_form(alpha):
    """G_ii a = a^(−1/α): a = |g_i|^(−2α/(1+α)); 1 where they are orthonormal."""
    lengths = np.array([1.0, 1e-4, 30.0, 1e4, 0.2])
    np.testing.assert_allclose(bargain(np.diag(lengths**2), alpha), lengths ** (-2 * alpha / (1 + alpha)), rtol=1e-12)
    np.testing.assert_array_equal(bargain(np.eye(7), alpha), np.ones(7))


@pytest.mark.parametrize("alpha", [0.5, 2.0, 4.0])
def test_two_scenes_agree_with_a_bisection(alpha):
    """From the first equation a_2 = (a_1^(−1/α) − G_11 a_1)/G_12, put into the second."""
    gram = np.array([[2.0, -0.7], [-0.7, 0.5]])

    def second(first):
        return (gram[0, 0] * first - first ** (-1 / alpha)) / -gram[0, 1]

    least = gram[0, 0] ** (-alpha / (1 + alpha))  # where a_2 = 0
    first = brentq(
        lambda a: gram[1, 0] * a + gram[1, 1] * second(a) - second(a) ** (-1 / alpha),
        least * (1 + 1e-9),
        1e3,
        xtol=1e-13,
    )
    np.testing.assert_allclose(bargain(gram, alpha), [first, second(first)], rtol=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_no_other_weights_have_a_lower_value(alpha):
    """½ aᵀG a − Σ φ(a_i), minimised from elsewhere in the logarithms of the weights."""
    gradients = drawn(5, 3, 7)
    gram = gradients @ gradients.T
    p = 1 / alpha

    def value(logs):
        a = np.exp(logs)
        return a @ gram @ a / 2 - (logs if p == 1 else a ** (1 - p) / (1 - p)).sum()

    expected = minimize(value, np.full(5, -3.0), method="BFGS", options={"gtol": 1e-9, "maxiter": 500})
    found = bargain(gram, alpha)
    np.testing.assert_allclose(found, np.exp(expected.x), rtol=1e-5)
    assert value(np.log(found)) <= expected.fun + 1e-13


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_random_gradients_of_every_scale(alpha, scale):
    for seed, count in enumerate(COUNTS * 3):
        gradients = drawn(count, seed) * scale
        assert_solved(gradients @ gradients.T, bargain(gradients @ gradients.T, alpha), alpha)


@pytest.mark.parametrize("seed", range(12))
def test_lengths_that_differ_by_1e8(seed):
    count = COUNTS[seed % len(COUNTS)]
    gradients = drawn(count, seed) * spread(count, seed, 8)
    gram = gradients @ gradients.T
    assert_solved(gram, bargain(gram), 1.0)
    for alpha in ALPHAS:
        assert_solved_to_rounding(gram, bargain(gram, alpha), alpha)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradients_that_depend_on_each_other(alpha):
    """Equal, nearly equal, multiples, of lower rank, of rank 1: solvable as long as none cancel."""
    for seed, count in enumerate([3, 5, 8, 32]):
        gradients = drawn(count, seed)
        gradients[1], gradients[2] = 3 * gradients[0], gradients[0] + 1e-5 * gradients[2]
        low = np.abs(drawn(count, seed, 2)) + 0.1
        single = np.arange(1.0, count + 1)[:, None] * drawn(1, seed, 5)
        for rows in (gradients, low, low * spread(count, seed, 3), single, np.ones((count, 1))):
            gram = rows @ rows.T
            assert_solved(gram, bargain(gram, alpha), alpha)


@pytest.mark.parametrize("degrees", [170.0, 179.0, 179.8])
def test_nearly_opposite_gradients_are_solved(degrees):
    cosine = np.cos(np.radians(degrees))
    gram = np.array([[1.0, cosine, 0.1], [cosine, 1.0, 0.2], [0.1, 0.2, 1.0]])
    for alpha in (0.5, 1.0, 2.0):
        assert_solved(gram, bargain(gram, alpha), alpha)


@pytest.mark.parametrize("off", [-1e-7, 1e-7])
def test_rounding_of_float32_changes_little(off):
    """Equal gradients whose G has an eigenvalue just below 0, and a pair 5° from opposite."""
    for cosine in (1.0, -0.9962):
        exact = np.array([[1.0, cosine, 0.2], [cosine, 1.0, 0.2], [0.2, 0.2, 1.0]])
        noisy = exact + off * np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        for alpha in ALPHAS:
            np.testing.assert_allclose(bargain(noisy, alpha), bargain(exact, alpha), rtol=1e-3)


def cancelling():
    """Gradients of which a convex combination is zero."""
    plane = np.array([[np.cos(angle), np.sin(angle)] for angle in (0.1, 2.3, 4.0)])
    opposite = drawn(5, 0, 7)
    opposite[3] = -opposite[1]
    yield np.array([[1.0], [-1.0]])
    yield np.array([[1e8], [-1e-4]])
    yield plane
    yield plane * [[1e-3], [1.0], [1e3]]
    yield opposite
    yield np.concatenate((drawn(7, 1, 9), [-drawn(7, 1, 9).mean(axis=0)]))
    yield drawn(32, 2, 3)


@pytest.mark.parametrize("gradients", list(cancelling()))
@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradients_that_cancel_have_no_solution(gradients, alpha):
    with pytest.raises(
        NoSolutionError,
        match=r"^Bargaining needs .* do not cancel\. Found .*: take another weighting, such as multiple_",
    ):
        bargain(gradients @ gradients.T, alpha)


@pytest.mark.parametrize("seed", range(20))
def test_opposite_gradients_of_float32_have_no_solution(seed):
    """g and −0.3 g, rounded, and their products rounded again: cos + 1 is off 0 by some 1e-7, up or down."""
    first = drawn(1, seed, 1001).astype(np.float32)
    gradients = np.concatenate((first, np.float32(-0.3) * first, drawn(1, seed + 50, 1001).astype(np.float32)))
    for alpha in (0.5, 1.0, 2.0):
        with pytest.raises(NoSolutionError, match="do not cancel"):
            bargain((gradients @ gradients.T).astype(np.float64), alpha)


def test_weights_beyond_float64_are_an_error():
    gradients = np.array([[1e8, 0.0], [1e8, 1.0], [0.0, 1e-8]])
    with pytest.raises(
        NoSolutionError, match=r"^Bargaining must end with weights that float64 can hold\. Found none: "
    ):
        bargain(gradients @ gradients.T, 100.0)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_zero_gradients_take_no_part(alpha):
    gradients = drawn(5, 1)
    gram = gradients @ gradients.T
    wider = np.zeros((7, 7))
    kept = np.array([0, 2, 3, 5, 6])
    wider[np.ix_(kept, kept)] = gram
    expected = np.zeros(7)
    expected[kept] = bargain(gram, alpha)
    np.testing.assert_array_equal(bargain(wider, alpha), expected)
    np.testing.assert_array_equal(bargain(np.zeros((3, 3)), alpha), np.zeros(3))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_order_changes_only_the_order(alpha):
    gradients, order = drawn(5, 4), [3, 0, 4, 1, 2]
    gram = gradients @ gradients.T
    np.testing.assert_allclose(bargain(gram[order][:, order], alpha), bargain(gram, alpha)[order], rtol=1e-12)


def test_a_scale_of_each_gradient_divides_its_weight_for_alpha_1():
    gradients, scales = drawn(5, 5), np.array([1e-4, 1.0, 30.0, 1e4, 0.5])
    gram = gradients @ gradients.T
    np.testing.assert_allclose(bargain(gram * np.outer(scales, scales)) * scales, bargain(gram), rtol=1e-10)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(-1e4, 1e4, width=32), min_size=width, max_size=width), min_size=2, max_size=7
        )
    ),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_solved_or_refused_with_a_reason(rows, alpha):
    """Any gradients: the equation holds, or a convex combination of the unit gradients is shorter than 1e-3."""
    gradients = np.array(rows)
    lengths = np.linalg.norm(gradients, axis=1)
    gradients[lengths < 1e-4] = 0
    gram = gradients @ gradients.T
    try:
        weights = bargain(gram, alpha)
    except NoSolutionError:
        alive = gradients[lengths >= 1e-4] / lengths[lengths >= 1e-4, None]
        start = np.full(len(alive), 1 / len(alive))
        found = minimize(
            lambda w: (w @ alive) @ (w @ alive),
            start,
            jac=lambda w: 2 * alive @ (w @ alive),
            bounds=[(0, 1)] * len(alive),
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert found.fun < 1.1e-6
    else:
        kept = lengths >= 1e-4
        assert (weights[~kept] == 0).all()
        assert_solved_to_rounding(gram[np.ix_(kept, kept)], weights[kept], alpha)
