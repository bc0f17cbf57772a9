from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import tensor

from iamm.errors import NoSolutionError
from iamm.weighting.cosines import cosines
from iamm.weighting.impartial import ImpartialWeighting, equal_projections


def drawn(count, width, seed, lengths=1.0):
    return np.random.default_rng(seed).normal(size=(count, width)) * np.broadcast_to(lengths, count)[:, None]


def rule(gradients):
    gradients = np.asarray(gradients, dtype=np.float64)
    return ImpartialWeighting(len(gradients)).rule(gradients @ gradients.T)


def projections(gradients, weights):
    """d · u_i, with what rounding may make of it: ε Σ |a_i| |g_i|."""
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    return units @ (weights @ gradients), np.abs(weights) @ np.linalg.norm(gradients, axis=1)


def closed_form(gradients):
    """The paper's: a_2… = g_1 Uᵀ (D Uᵀ)⁻¹ with rows g_1 − g_j in D and u_1 − u_j in U, and a_1 = 1 − Σ a_2…"""
    units = gradients / np.linalg.norm(gradients, axis=1, keepdims=True)
    d, u = gradients[0] - gradients[1:], units[0] - units[1:]
    rest = np.linalg.solve((d @ u.T).T, gradients[0] @ u.T)
    return np.array([1 - rest.sum(), *rest])


def test_by_hand():
    """Orthogonal, of lengths 1, 2, 4: equal projections a_i |g_i|, so that a ∝ (1, ½, ¼) = (4, 2, 1)/7."""
    np.testing.assert_allclose(rule(np.diag([1.0, 2.0, 4.0])), np.array([4, 2, 1]) / 7, rtol=1e-14)


def test_orthonormal_gradients_give_the_mean():
    np.testing.assert_allclose(rule(np.eye(5)), np.full(5, 0.2), rtol=1e-14)


@pytest.mark.parametrize("cosine", [-1.0, -0.999999, -0.7, 0.0, 0.7, 0.999999, 1.0])
@pytest.mark.parametrize(("first", "second"), [(1.0, 1.0), (3.0, 1.0), (1e-8, 1.0), (1e8, 1.0), (1e8, 3e8)])
def test_two_scenes_in_closed_form(cosine, first, second):
    """a = (|g_2|, |g_1|)/(|g_1| + |g_2|), whatever the angle; opposite ones cancel."""
    gram = np.array([[first**2, first * second * cosine], [first * second * cosine, second**2]])
    found = ImpartialWeighting(2).rule(gram)
    np.testing.assert_allclose(found, np.array([second, first]) / (first + second), rtol=1e-9)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 17, 32])
@pytest.mark.parametrize("spread", [0.0, 4.0])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_all_projections_are_equal_and_the_weights_sum_to_one(count, spread, scale):
    for seed in range(3):
        lengths = np.random.default_rng(seed).permutation(np.logspace(-spread, spread, count)) * scale
        gradients = drawn(count, 41, seed, lengths)
        weights = rule(gradients)
        found, size = projections(gradients, weights)
        assert abs(weights.sum() - 1) < 1e-12 * np.abs(weights).sum()
        assert np.ptp(found) < 1e-9 * size
        assert abs(found).min() > 1e-3 * size


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_agrees_with_the_papers_closed_form(count):
    for seed in range(5):
        gradients = drawn(count, 41, seed, np.logspace(-1, 1, count))
        np.testing.assert_allclose(rule(gradients), closed_form(gradients), rtol=1e-9, atol=1e-12)


def test_weights_may_be_negative():
    """A g_3 between the other two has the greatest projection on their sum, and is held back."""
    gradients = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 0.3], [1.0, 1.0, 0.0]])
    weights = rule(gradients)
    np.testing.assert_allclose(weights, closed_form(gradients), rtol=1e-9)
    assert weights.min() < 0


def test_the_length_of_a_gradient_changes_no_direction():
    gradients, lengths = drawn(5, 7, 0), np.array([1.0, 1e-4, 30.0, 1e4, 0.2])
    one, other = (rule(g) @ g for g in (gradients, gradients * lengths[:, None]))
    np.testing.assert_allclose(one / np.linalg.norm(one), other / np.linalg.norm(other), rtol=1e-9)


def test_the_order_of_the_scenes_is_no_matter():
    gradients, order = drawn(5, 7, 3, np.logspace(-1, 1, 5)), [3, 0, 4, 1, 2]
    np.testing.assert_allclose(rule(gradients[order]), rule(gradients)[order], rtol=1e-9)


def test_gradients_of_one_direction_share_alike():
    """g_1 and g_2 = 2g_1 beside an orthogonal g_3: b = C⁺ 1 = (½, ½, 1), by |g| = 1, 2, 1 gives a ∝ (½, ¼, 1)."""
    np.testing.assert_allclose(
        rule([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), np.array([0.5, 0.25, 1.0]) / 1.75, rtol=1e-12
    )
    np.testing.assert_allclose(rule([[3.0, 4.0]] * 3), np.full(3, 1 / 3), rtol=1e-12)


@pytest.mark.parametrize("off", [-1e-7, 1e-7])
def test_equal_gradients_stay_equal_within_the_rounding_of_float32(off):
    gram = np.array([[1.0, 1.0 + off, 0.1], [1.0 + off, 1.0, 0.1], [0.1, 0.1, 1.0]])
    exact = np.array([[1.0, 1.0, 0.1], [1.0, 1.0, 0.1], [0.1, 0.1, 1.0]])
    weighting = ImpartialWeighting(3)
    np.testing.assert_allclose(weighting.rule(gram), weighting.rule(exact), atol=1e-6)


@pytest.mark.parametrize(("count", "rank"), [(3, 2), (5, 4), (8, 3), (32, 7)])
def test_gradients_that_depend_on_each_other(count, rank):
    """At random, no step but d = 0 has equal projections on more gradients than there are dimensions: it says so."""
    for seed in range(5):
        gradients = drawn(count, rank, seed) @ drawn(rank, 37, 2)
        unit_weights = equal_projections(cosines(gradients @ gradients.T)[1], np.ones(count, dtype=bool))
        if (unit_weights >= 0).all():  # positive weights that are 0: no step is better for all
            assert (rule(gradients) >= 0).all()
        else:
            with pytest.raises(NoSolutionError, match="Found linearly dependent ones, on which only a step of 0"):
                rule(gradients)


def test_gradients_that_cancel_in_a_ring():
    """Three at 120° of lengths 1, 2, 4: Σ u_i = 0, so a ∝ 1/|g| has d = 0."""
    angles = np.arange(3) * 2 * math.pi / 3
    gradients = np.stack((np.cos(angles), np.sin(angles)), axis=1) * [[1.0], [2.0], [4.0]]
    weights = rule(gradients)
    np.testing.assert_allclose(weights, np.array([4, 2, 1]) / 7, rtol=1e-9)
    np.testing.assert_allclose(weights @ gradients, 0.0, atol=1e-12)


def test_says_that_it_would_stand_still():
    """g_3 = (g_1 + g_2)/2: only a ∝ (1, 1, −2) has equal projections, all 0."""
    with pytest.raises(NoSolutionError, match=r"needs gradients with a step of equal projections\. Found linearly"):
        rule([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])


def test_says_that_no_weights_sum_to_one():
    """Unit gradients whose b with C b = 1 has a negative part: with that one short enough, Σ b_i / |g_i| = 0."""
    units = np.array([[1.0, 0.0, 0.1], [0.0, 1.0, 0.1], [0.8, 0.8, 0.2]])
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    b = np.linalg.solve(units @ units.T, np.ones(3))
    assert b[2] < 0 < min(b[:2])
    lengths = np.array([1.0, 1.0, -b[2] / (b[0] + b[1])])
    with pytest.raises(NoSolutionError, match=r"needs weights that sum to 1 and give equal projections\. Found .* sum"):
        rule(units * lengths[:, None])


def test_a_zero_gradient_weighs_nothing():
    """Of lengths 1, 0, 3: the other two as in their closed form, (¾, ¼)."""
    np.testing.assert_allclose(rule(np.diag([1.0, 0.0, 3.0])), [0.75, 0.0, 0.25], rtol=1e-14)
    np.testing.assert_allclose(rule([[0.0, 0.0], [3.0, 4.0]]), [0.0, 1.0], rtol=1e-14)
    np.testing.assert_array_equal(rule(np.zeros((3, 3))), np.zeros(3))


def scaled(values, **own):
    weighting = ImpartialWeighting(len(values), **own).double()
    with torch.no_grad():
        weighting.log_scale.copy_(tensor(values))
    return weighting


def test_loss_balance_by_hand(common, shared_step):
    """c = (3, 0), (0, 4) from x = 0, s = (ln 2, 0): the scaled gradients (−6, 0) and (0, −4) give a = (0.4, 0.6).

    So L_1 weighs 2 · 0.4 and L_2 0.6, and x.grad = (−2.4, −2.4). L = ½·9 + 0 = 4.5 and ½·16 + ½ = 8.5:
    ∂/∂s = 2 · 4.5 − 1 = 8 and 8.5 − 1 = 7.5. The heads' own gradients 0 and −1 are weighted by 2/2 and ½.
    """
    made = common(tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64))
    weighting = scaled([math.log(2), 0.0])
    weights, slope, heads = shared_step(weighting, made)
    torch.testing.assert_close(weights, tensor([0.8, 0.6], dtype=torch.float64))
    torch.testing.assert_close(slope, tensor([-2.4, -2.4], dtype=torch.float64))
    torch.testing.assert_close(weighting.log_scale.grad, tensor([8.0, 7.5], dtype=torch.float64))
    torch.testing.assert_close(heads, tensor([0.0, -0.5], dtype=torch.float64))


def test_loss_balance_settles_where_all_losses_are_one(common, shared_step):
    made = common(tensor([[3.0, 0.0], [0.0, 0.4]], dtype=torch.float64))
    weighting = scaled([0.0, 0.0])
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        shared_step(weighting, made)
        optimizer.step()
    losses = torch.stack(made.losses()[0]).detach()
    torch.testing.assert_close(weighting.log_scale.exp() * losses, torch.ones(2, dtype=torch.float64))


def test_a_scene_out_of_sight_keeps_its_scale(common, shared_step):
    """Alone, scene 2 weighs e^s/S."""
    made = common(tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64))
    weighting = scaled([math.log(2), math.log(3)])
    weights, slope, heads = shared_step(weighting, made, observed=[False, True])
    torch.testing.assert_close(weights, tensor([0.0, 1.5], dtype=torch.float64))
    torch.testing.assert_close(slope, tensor([0.0, -6.0], dtype=torch.float64))
    torch.testing.assert_close(heads, tensor([0.0, -1.5], dtype=torch.float64))
    torch.testing.assert_close(weighting.log_scale.grad, tensor([0.0, 3 * 8.5 - 1], dtype=torch.float64))


def test_scales_are_learnt_between_the_steps_that_find_weights(common, shared_step):
    made = common(tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64))
    weighting = scaled([0.0, 0.0], every=3)
    for number in range(1, 5):
        shared_step(weighting, made)
        torch.testing.assert_close(weighting.log_scale.grad, number * tensor([3.5, 7.5], dtype=torch.float64))


def test_accumulated_batches_share_the_slope_of_the_scales(common):
    made = common(tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64))
    weighting = scaled([math.log(2), 0.0])
    for _ in range(2):
        losses, paths = made.losses()
        weighting.backward(losses, observed=torch.ones(2, dtype=torch.bool), paths=paths, share=0.5)
    weighting.finish()
    torch.testing.assert_close(weighting.log_scale.grad, tensor([8.0, 7.5], dtype=torch.float64))


def test_gradient_balance_alone_learns_no_scale(common, shared_step):
    made = common(tensor([[3.0, 0.0], [0.0, 4.0]], dtype=torch.float64))
    weighting = ImpartialWeighting(2, balance_losses=False).double()
    weights, _, heads = shared_step(weighting, made)
    torch.testing.assert_close(weights, tensor([4 / 7, 3 / 7], dtype=torch.float64))
    torch.testing.assert_close(heads, tensor([0.0, -0.5], dtype=torch.float64))
    assert weighting.log_scale.grad is None
