from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from iamm.weighting.worst_case import worst_case

RADII = [0.05, 0.4, 0.8, 0.99]
COUNTS = [2, 3, 5, 8, 17, 32]


def drawn(count, seed, width=None):
    return np.random.default_rng(seed).normal(size=(count, width or 3 * count))


def spread(count, seed, decades):
    return 10.0 ** np.random.default_rng(seed + 1000).uniform(-decades / 2, decades / 2, size=(count, 1))


def step(gradients, radius):
    """d by the gradients themselves."""
    return (1 / len(gradients) + worst_case(gradients @ gradients.T, radius)) @ gradients


def shortest(gradients):
    """w ≥ 0 with Σ w = 1 and the least |Σ w_i g_i|, by non-negative least squares; it favours what cancels."""
    lengths = np.linalg.norm(gradients, axis=1)
    rows = np.concatenate(((gradients / lengths[:, None]).T, np.ones((1, len(gradients)))))
    found = nnls(rows, np.concatenate((np.zeros(gradients.shape[1]), [1.0])))[0] / lengths
    return found / found.sum()


def assert_best(gradients, radius, rtol=1e-6):
    """Duality: any d within reach gives min_i g_i·d ≤ F* ≤ F(w) for any w; where both ends meet, both are the best.

    To 1e-6 of |g_0| Σ_i w_i |g_i|, the scale of F's terms.
    """
    gradients = gradients[np.abs(gradients).max(axis=1) > 0]
    mean, extra = gradients.mean(axis=0), worst_case(gradients @ gradients.T, radius)
    length, lengths = np.linalg.norm(mean), np.linalg.norm(gradients, axis=1)
    if length == 0:
        return np.testing.assert_array_equal(extra, 0.0)
    turn = extra @ gradients
    assert (extra >= 0).all()
    rounded = 4 * np.finfo(float).eps * (extra @ lengths) ** 2  # what G, and so |turn|², loses where gradients cancel
    assert turn @ turn <= (radius * length) ** 2 * (1 + 2e-7) + rounded
    gaps = []
    for w in (extra / extra.sum() if extra.any() else shortest(gradients), shortest(gradients)):
        upper = w @ gradients @ mean + radius * length * np.linalg.norm(w @ gradients)
        gaps.append((upper - (gradients @ (mean + turn)).min()) / (length * (w @ lengths)))
    assert -1e-7 < min(gaps) < rtol


def test_by_hand():
    """g = (4, 7), (−2, 7), c² = 0.34: |g_0|² = 1 + 49 = 50 and c |g_0| = √17. Both gain alike along d = (0, d_2), and
    (−1, d_2 − 7) is √17 long for d_2 = 11. So e_1 g_1 + e_2 g_2 = (−1, 4): e = (1, 23)/42.
    """
    gradients = np.array([[4.0, 7.0], [-2.0, 7.0]])
    np.testing.assert_allclose(worst_case(gradients @ gradients.T, 0.34**0.5), np.array([1, 23]) / 42, rtol=1e-11)


def test_one_scene_takes_all_by_hand():
    """g = (3, 0), (0, 1): g_0 = (3, 1)/2. With w = (0, 1) scene 2 gains ½ + c |g_0|, still less than scene 1's 4½."""
    expected = [0.0, 0.4 * 2.5**0.5]
    np.testing.assert_allclose(worst_case(np.diag([9.0, 1.0]), 0.4), expected, rtol=1e-12)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("seed", range(5))
def test_two_scenes_in_closed_form(radius, scale, seed):
    """g_i = (x_i, h) in the axes along g_1 − g_2 and across. Either d = (0, h + √(c² |g_0|² − x̄²)), with weights that
    are not negative, or all pull is along the gradient that gains less.
    """
    rng = np.random.default_rng(seed)
    one, other, height = rng.normal(), rng.normal(), abs(rng.normal())
    gradients = np.array([[one, height], [other, height]]) * scale
    mean = gradients.mean(axis=0)
    reach = radius * np.linalg.norm(mean)
    expected = mean + reach * (nearer := gradients[np.argmin(np.abs([one, other]))]) / np.linalg.norm(nearer)
    if abs(mean[0]) < reach:
        turn = np.array([-mean[0], (reach**2 - mean[0] ** 2) ** 0.5])
        extra = np.linalg.solve(gradients.T, turn)
        expected = mean + turn if (extra >= 0).all() else expected
    np.testing.assert_allclose(step(gradients, radius), expected, rtol=1e-9, atol=1e-9 * reach)


def test_orthonormal_gradients_weigh_alike():
    """g_w = 1/n Σ g_i = g_0, so that e = c/n."""
    np.testing.assert_allclose(worst_case(np.eye(7), 0.4), np.full(7, 0.4 / 7), rtol=1e-11)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_random_gradients_of_every_scale(radius, scale):
    for seed, count in enumerate(COUNTS * 2):
        gradients = drawn(count, seed) * scale
        assert_best(gradients, radius)
        assert_best(gradients - 0.9 * gradients.mean(axis=0), radius)
        assert_best(np.abs(gradients), radius)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("decades", [3, 8])
def test_lengths_that_differ(radius, decades):
    for seed, count in enumerate(COUNTS * 3):
        assert_best(drawn(count, seed) * spread(count, seed, decades), radius)


@pytest.mark.parametrize("radius", [0.45, 0.5, 0.8])
@pytest.mark.parametrize("short", [1e-5, 1e-2, 1.0])
def test_opposite_gradients_of_very_different_lengths(radius, short):
    """(1, 0) and (−1, 0) cancel within reach, whatever their lengths, and bar the first axis to d."""
    gradients = np.array([[0.0, -637.0], [0.0, -1000.0], [short, 0.0], [-752.0, 0.0]])
    assert_best(gradients, radius, rtol=1e-9)
    np.testing.assert_allclose(step(gradients, radius), [0.0, -409.25], rtol=1e-13, atol=1e-10)


@pytest.mark.parametrize("angle", np.logspace(-9, -1, 9))
def test_nearly_opposite_gradients(angle):
    for radius in (*RADII, 0.97):
        assert_best(np.array([[0.0, 0.0, 308.0], [0.0, 297.0, 0.0], [0.0, angle, -1.0]]), radius)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("seed", range(4))
def test_gradients_that_depend_on_each_other(radius, seed):
    """Equal, opposite and nearly so, multiples, low rank, rank 1."""
    for count in (3, 5, 8, 32):
        equal, near, opposite = drawn(count, seed), drawn(count, seed), drawn(count, seed)
        equal[1], opposite[1], opposite[2] = 2 * equal[0], -opposite[0], -3 * opposite[0]
        for power, row in enumerate(near[2:], start=2):
            row *= 10.0**-power
            row += (-1) ** power * near[0]
        signs = np.random.default_rng(seed).integers(-1, 2, size=(count, max(2, count // 2))).astype(float)
        for rows in (equal, near, opposite, drawn(count, seed, 1), drawn(count, seed, max(2, count // 2)), signs):
            assert_best(rows, radius)


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("seed", range(9))
def test_agrees_with_a_general_optimizer(radius, seed):
    gradients = drawn(4, seed, 6)
    mean = gradients.mean(axis=0)
    reach = radius * np.linalg.norm(mean)
    gram, gains = gradients @ gradients.T, gradients @ mean
    found = minimize(
        lambda w: gains @ w + reach * (w @ gram @ w) ** 0.5,
        np.full(4, 0.25),
        jac=lambda w: gains + reach * gram @ w / (w @ gram @ w) ** 0.5,
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-15, "maxiter": 300},
    )
    turned = found.x @ gradients
    np.testing.assert_allclose(step(gradients, radius), mean + reach * turned / np.linalg.norm(turned), atol=1e-4)


def test_where_nothing_is_left_of_the_combination_d_is_the_nearest_solution():
    """g_w = 0 is best: e_1 and −e_1 bar the first axis, and g_0 has but to give up what it has along it."""
    level = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(step(level, 0.4), level.mean(axis=0), atol=1e-12)
    tilted = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0]])  # g_0 = (−1, 1)/3
    np.testing.assert_allclose(step(tilted, 0.8), [0.0, 1 / 3], atol=1e-9)
    extra = worst_case(tilted @ tilted.T, 0.8)
    np.testing.assert_allclose(extra, [1 / 3, 0.0, 0.0], atol=1e-9)


def test_where_it_is_out_of_reach_the_combination_is_not_zero():
    """The same with c = 0.6 < 1/√2: as near to the second axis as that goes, and no weight on the third."""
    tilted = np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(step(tilted, 0.6), [-1 / 3 + 0.6 * 2**0.5 / 3, 1 / 3], rtol=1e-9)


def test_a_scene_alone():
    """g_w = g_0 = g."""
    np.testing.assert_allclose(worst_case(np.array([[9.0]]), 0.4), [0.4], rtol=1e-14)


def test_opposite_gradients():
    """g = 3 and −1: g_0 = 1, and −1 loses least at d = 1 − c. Of one length: g_0 = 0, and nothing is added."""
    np.testing.assert_allclose(worst_case(np.array([[9.0, -3.0], [-3.0, 1.0]]), 0.4), [0.0, 0.4], rtol=1e-12)
    np.testing.assert_array_equal(worst_case(np.array([[9.0, -9.0], [-9.0, 9.0]]), 0.4), [0.0, 0.0])


def test_a_mean_that_is_rounding_is_zero():
    gradients = drawn(7, 3)
    centred = gradients - gradients.mean(axis=0)
    np.testing.assert_array_equal(worst_case(centred @ centred.T, 0.9), np.zeros(7))


@pytest.mark.parametrize("radius", RADII)
def test_zero_gradients_take_no_part(radius):
    gradients = np.insert(drawn(5, 1), [0, 3], 0.0, axis=0)
    extra = worst_case(gradients @ gradients.T, radius)
    assert extra[0] == extra[4] == 0
    alive = gradients[[1, 2, 3, 5, 6]]
    mean = gradients.mean(axis=0)
    d = mean + extra @ gradients
    w = extra / extra.sum() @ gradients
    reach = radius * np.linalg.norm(mean)
    np.testing.assert_allclose((alive @ d).min(), w @ mean + reach * np.linalg.norm(w), rtol=1e-9)
    np.testing.assert_array_equal(worst_case(np.zeros((3, 3)), radius), np.zeros(3))


def test_neither_order_nor_an_equal_gradient_changes_the_direction():
    gradients, order = drawn(5, 2), [3, 0, 4, 1, 2]
    gradients[3] = gradients[1] = gradients[1] / 3
    d = step(gradients, 0.9)
    np.testing.assert_allclose(step(gradients[order], 0.9), d, rtol=1e-9)
    twice = np.concatenate((gradients, gradients))
    np.testing.assert_allclose(step(twice, 0.9), d, rtol=1e-9)


def test_a_wider_reach_never_lowers_the_least_gain():
    for seed in range(10):
        gradients = drawn(6, seed, 4)
        gains = [(gradients @ step(gradients, radius)).min() for radius in (0.0, 0.1, 0.3, 0.6, 0.9)]
        assert (np.diff(gains) >= -1e-9).all()
        np.testing.assert_allclose(gains[0], (gradients @ gradients.mean(axis=0)).min(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rounding_of_float32_does_not_lead_astray(seed):
    """G of rank 3 and 5 of 8 from float32, with eigenvalues just below 0: near the best for the true gradients."""
    for width in (3, 5):
        gradients = drawn(8, seed, width).astype(np.float32)
        rounded = (gradients @ gradients.T).astype(np.float64)
        exact = gradients.astype(np.float64)
        for radius in RADII:
            mean, extra = exact.mean(axis=0), worst_case(rounded, radius)
            turn = extra @ exact
            assert np.linalg.norm(turn) <= radius * np.linalg.norm(mean) * (1 + 1e-5)
            best = (exact @ step(exact, radius)).min()
            scale = np.linalg.norm(mean) * np.linalg.norm(exact, axis=1).max()
            np.testing.assert_allclose((exact @ (mean + turn)).min(), best, atol=1e-5 * scale)


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 6).flatmap(
        lambda width: st.lists(
            st.lists(st.floats(-1e3, 1e3, width=32), min_size=width, max_size=width), min_size=2, max_size=7
        )
    ),
    st.floats(0.01, 0.99),
)
def test_any_gradients(rows, radius):
    gradients = np.array(rows)
    lengths = np.linalg.norm(gradients, axis=1)
    gradients = gradients[lengths > 1e-4]
    if len(gradients) > 1 and np.linalg.norm(gradients.mean(axis=0)) > 1e-4 * np.linalg.norm(gradients, axis=1).max():
        assert_best(gradients, radius)
