from __future__ import annotations

from copy import deepcopy
from itertools import product

import numpy as np
import pytest

from iamm.weighting.draws import Draws
from iamm.weighting.gradient_surgery import GradientSurgeryWeighting

SEED = 5


def build(scenes, seed=SEED):
    return GradientSurgeryWeighting(scenes, seed=seed)


def drawn(count, width, seed):
    return np.random.default_rng(seed).normal(size=(count, width))


def surgery(gradients, orders, *, with_itself=False):
    """The mean of the projected gradients, with the gradients themselves: Algorithm 1 as it reads."""
    projected = gradients.copy()
    for i, order in enumerate(orders):
        for j in order:
            if (j != i or with_itself) and projected[i] @ gradients[j] < 0:
                projected[i] -= projected[i] @ gradients[j] / (gradients[j] @ gradients[j]) * gradients[j]
    return projected.mean(axis=0)


def test_by_hand():
    """g = (1, 0), (−1, 1): g_1′ = g_1 + ½ g_2, g_2′ = g_2 + g_1; so a = (1 + 1, ½ + 1)/2 and d = (¼, ¾)."""
    gradients = np.array([[1.0, 0.0], [-1.0, 1.0]])
    weights = build(2).rule(gradients @ gradients.T)
    np.testing.assert_allclose(weights, [1.0, 0.75], rtol=1e-15)
    np.testing.assert_allclose(weights @ gradients, [0.25, 0.75], rtol=1e-15)


@pytest.mark.parametrize("seed", range(9))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_two_scenes_in_closed_form(seed, scale):
    """a_i = (1 + max(0, −g_1 · g_2)/|g_i|²)/2; no gradient is then opposed, and nothing was drawn."""
    gradients = drawn(2, 3, seed) * scale * np.array([[1.0], [30.0]])
    gram, weighting = gradients @ gradients.T, build(2)
    weights = weighting.rule(gram)
    np.testing.assert_allclose(weights, (1 + max(0.0, -gram[0, 1]) / gram.diagonal()) / 2, rtol=1e-12)
    assert (gram @ weights >= -1e-12 * gram.diagonal()).all()
    assert weighting.draws.taken == 0


def test_without_conflict_it_is_the_mean_and_nothing_is_drawn():
    gradients = np.abs(drawn(5, 7, 0))
    weighting = build(5)
    np.testing.assert_array_equal(weighting.rule(gradients @ gradients.T), np.full(5, 0.2))
    np.testing.assert_array_equal(weighting.rule(np.eye(5)), np.full(5, 0.2))
    assert weighting.draws.taken == 0


@pytest.mark.parametrize("count", [3, 4, 7, 32])
@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_agrees_with_the_projected_gradients_themselves(count, spread):
    orders = Draws(SEED).generator().random((count, count)).argsort(axis=1)
    for seed in range(5):
        gradients = drawn(count, 11, seed) * np.logspace(-spread, spread, count)[:, None]
        weights = build(count).rule(gradients @ gradients.T)
        expected = surgery(gradients, orders)
        np.testing.assert_allclose(weights @ gradients, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
        assert (weights >= 1 / count).all()


def test_no_gradient_is_projected_on_itself():
    """In a plane, what is left of a gradient after two projections may oppose it, and public code then projects."""
    others = 0
    for seed in range(100):
        gradients, orders = drawn(3, 2, seed), Draws(seed).generator().random((3, 3)).argsort(axis=1)
        step = build(3, seed).rule(gradients @ gradients.T) @ gradients
        np.testing.assert_allclose(step, surgery(gradients, orders), atol=1e-12)
        others += np.abs(step - surgery(gradients, orders, with_itself=True)).max() > 0.01
    assert others > 0


def test_each_order_occurs_alike():
    """Each of three gradients meets the other two in one of two orders: eight cases, here with eight results."""
    gradients = drawn(3, 3, 1) - 1.0 * np.eye(3)[[1, 2, 0]]
    gram = gradients @ gradients.T
    orders = [[first, second] for first, second in ((1, 2), (0, 2), (0, 1))]
    cases = [[order[::turn] for order, turn in zip(orders, turns, strict=True)] for turns in product((1, -1), repeat=3)]
    expected = np.array([surgery(gradients, case) for case in cases])
    weighting, found = build(3), np.zeros(8)
    for _ in range(400):
        distances = np.abs(weighting.rule(gram) @ gradients - expected).max(axis=1)
        assert distances.min() < 1e-12
        found += distances < 1e-12
    assert (np.abs(found - found.sum() / 8) < 4 * (400 / 8) ** 0.5).all()


def test_nothing_is_projected_on_a_zero_gradient():
    """g = (1, 0), (−1, 1), 0: as by hand for two, over three."""
    gradients = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(build(3).rule(gradients @ gradients.T), np.array([2.0, 1.5, 1.0]) / 3, rtol=1e-15)
    np.testing.assert_array_equal(build(3).rule(np.zeros((3, 3))), np.full(3, 1 / 3))


def test_opposite_gradients_cancel():
    """g_2 = −2 g_1: both are projected to 0."""
    np.testing.assert_allclose(build(2).rule(np.array([[1.0, -2.0], [-2.0, 4.0]])) @ [1.0, -2.0], 0.0, atol=1e-15)


def test_a_saved_state_goes_on_with_the_same_orders():
    gram = (lambda g: g @ g.T)(drawn(5, 3, 0))
    whole, part, loaded = build(5), build(5), build(5)
    expected = [whole.rule(gram) for _ in range(9)]
    for _ in range(4):
        part.rule(gram)
    loaded.load_state_dict(deepcopy(part.state_dict()), strict=True)
    np.testing.assert_array_equal([loaded.rule(gram) for _ in range(5)], expected[4:])
    assert len(np.unique(expected, axis=0)) > 1
