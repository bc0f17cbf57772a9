from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import tensor

from iamm.weighting.quadratic import dual_cone_projections
from iamm.weighting.unconflicting_projection import UnconflictingProjectionWeighting


def rule(gradients):
    return UnconflictingProjectionWeighting(len(gradients)).rule(gradients @ gradients.T)


def drawn(count, width, seed, lengths=1.0):
    return np.random.default_rng(seed).normal(size=(count, width)) * np.broadcast_to(lengths, count)[:, None]


def projected(gradient, gradients):
    """The nearest point that opposes none: of the projections off each choice of gradients, the nearest allowed one."""
    units, found = gradients / np.linalg.norm(gradients, axis=1, keepdims=True), []
    for chosen in product([False, True], repeat=len(gradients)):
        barred = units[list(chosen)]
        parts, *_ = np.linalg.lstsq(barred.T, gradient, rcond=None)
        point = gradient - parts @ barred
        if (units @ point >= -1e-10 * np.linalg.norm(gradient)).all():
            found.append(point)
    return min(found, key=lambda point: np.linalg.norm(point - gradient))


def test_by_hand():
    """g = (1, 0), (−1, 1): π(g_1) = g_1 + ½ g_2 = (½, ½), π(g_2) = g_2 + g_1 = (0, 1); d = (¼, ¾)."""
    gradients = np.array([[1.0, 0.0], [-1.0, 1.0]])
    weights = rule(gradients)
    np.testing.assert_allclose(weights, [1.0, 0.75], rtol=1e-15)
    np.testing.assert_allclose(weights @ gradients, [0.25, 0.75], rtol=1e-15)


def test_three_by_hand():
    """g = (1, 0), (−1, 1), (0, 2): the third opposes none and is not opposed; d = ((½, ½) + (0, 1) + (0, 2))/3."""
    gradients = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, 2.0]])
    np.testing.assert_allclose(rule(gradients) @ gradients, [1 / 6, 7 / 6], rtol=1e-14)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_two_scenes_in_closed_form(seed, scale):
    """a_i = (1 + max(0, −g_1·g_2)/|g_i|²)/2."""
    gradients = drawn(2, 3, seed, [1.0, 30.0]) * scale
    gram = gradients @ gradients.T
    np.testing.assert_allclose(rule(gradients), (1 + max(0.0, -gram[0, 1]) / gram.diagonal()) / 2, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("spread", [0.0, 3.0])
@pytest.mark.parametrize("width", [2, 11])
def test_agrees_with_a_search_over_all_choices(count, spread, width):
    for seed in range(2):
        gradients = drawn(count, width, seed, np.logspace(-spread, spread, count))
        expected = np.mean([projected(gradient, gradients) for gradient in gradients], axis=0)
        np.testing.assert_allclose(rule(gradients) @ gradients, expected, atol=1e-9 * 10**spread)


def test_no_scene_loses():
    for seed in range(20):
        gradients = drawn(5, 7, seed, [1.0, 9.0, 3.0, 0.2, 1.0])
        weights = rule(gradients)
        cosines = gradients @ (weights @ gradients) / np.linalg.norm(gradients, axis=1)
        assert cosines.min() >= -1e-12
        assert (weights >= 1 / 5).all()


def test_linear_in_the_lengths_of_the_gradients():
    """d of c_1 g_1 … c_n g_n is Σ_i c_i π(g_i)/n, with the π of the gradients as they were."""
    gradients, factors = drawn(5, 4, 1), np.array([1e-4, 1.0, 50.0, 0.3, 1e4])
    parts = dual_cone_projections(gradients @ gradients.T) @ gradients
    scaled = gradients * factors[:, None]
    np.testing.assert_allclose(rule(scaled) @ scaled, factors @ parts / 5, rtol=1e-9)


def test_without_conflict_it_is_the_mean():
    gradients = np.abs(drawn(5, 7, 0))
    np.testing.assert_array_equal(rule(gradients), np.full(5, 0.2))
    np.testing.assert_array_equal(rule(np.eye(5)), np.full(5, 0.2))


def test_gradients_that_cancel_give_no_step():
    """Opposite ones; and three in a plane with no half of it free."""
    opposite = np.array([[1.0, 2.0], [-3.0, -6.0]])
    np.testing.assert_allclose(rule(opposite), [2.0, 2 / 3], rtol=1e-15)
    np.testing.assert_allclose(rule(opposite) @ opposite, 0.0, atol=1e-14)
    around = np.array([[1.0, 0.0], [-1.0, 2.0], [-0.5, -1.0]])
    np.testing.assert_allclose(rule(around) @ around, 0.0, atol=1e-14)


def test_a_zero_gradient_changes_no_other():
    """g = (1, 0), 0, (−1, 1): as by hand for two, over three."""
    gradients = np.array([[1.0, 0.0], [0.0, 0.0], [-1.0, 1.0]])
    np.testing.assert_allclose(rule(gradients), np.array([2.0, 1.0, 1.5]) / 3, rtol=1e-14)
    np.testing.assert_array_equal(rule(np.zeros((3, 2))), np.full(3, 1 / 3))


def test_one_scale_for_all_changes_nothing_and_order_only_the_order():
    gradients, order = drawn(5, 7, 3), [3, 0, 4, 1, 2]
    weights = rule(gradients)
    np.testing.assert_allclose(rule(gradients * 1e6), weights, rtol=1e-12)
    np.testing.assert_allclose(rule(gradients[order]), weights[order], rtol=1e-12)


def test_settles_on_the_front(common, shared_step):
    """L_i = ½ |x − c_i|², c = (±1, 0): the front is the segment between, where the gradients are opposite."""
    weighting = UnconflictingProjectionWeighting(2).double()
    made, losses = common(tensor([[1.0, 0.0], [-1.0, 0.0]]).double(), start=tensor([0.5, 5.0]).double()), []
    for _ in range(60):
        losses.append([loss.item() for loss in made.losses()[0]])
        _, slope, _ = shared_step(weighting, made)
        with torch.no_grad():
            made.x -= 0.5 * slope
    assert abs(made.x[0].item()) < 0.5
    assert abs(made.x[1].item()) < 1e-6
    assert (np.diff(losses, axis=0) <= 1e-9).all()
