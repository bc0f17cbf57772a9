from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn, tensor

from iamm.weighting.gradient_norm import LEAST, GradientNormWeighting

SCENES = 3
ALL = np.ones(SCENES, dtype=bool)


def drawn(steps, seed=0):
    """Gram matrices and losses of a training: gradients 1e-3 to 1e3 long, losses that fall at their own rates."""
    generator = np.random.default_rng(seed)
    gradients = generator.normal(size=(steps, SCENES, 5)) * [[1e-3], [1.0], [1e3]]
    falls = np.exp(-np.outer(np.arange(steps), [0.01, 0.1, 0.03]) + 0.1 * generator.normal(size=(steps, SCENES)))
    return gradients @ gradients.mT, falls * [5.0, 0.1, 40.0]


def build(scenes=SCENES, **own):
    return GradientNormWeighting(scenes, **own).double()


def learnt(weighting):
    return weighting.learnt.numpy().copy()


def test_by_hand():
    """Lengths 1, 3 and w = 1: T = 2 for both at r = 1. Adam's first step is rate · sign: w = (1.025, 0.975).

    Then L/L(0) = (½, 1): r = (⅔, 4/3), lengths 1.025 and 2.925, their mean 1.975; T = 1.975 r^1.5 = (1.075, 3.041):
    both are now too short and both slopes negative, (−1, −3). Second step of Adam: m = 0.9 · 0.1 · g_1 + 0.1 · g_2.
    """
    weighting, both = build(2), np.array([True, True])
    used = weighting.shared_weights(np.diag([1.0, 9.0]), np.array([4.0, 2.0]), both)
    np.testing.assert_allclose(used, [0.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(learnt(weighting), [1.025, 0.975], rtol=1e-6)
    used = weighting.shared_weights(np.diag([1.0, 9.0]), np.array([2.0, 2.0]), both)
    np.testing.assert_allclose(used, [0.5125, 0.4875], rtol=1e-6)
    first, second = -(0.09 + 0.1) / 0.19, (0.09 - 0.1) / 0.19  # m̂_i/√v̂_i, in units of |g_i|
    moved = np.array([1.025 - 0.025 * first, 0.975 - 0.025 * second])
    np.testing.assert_allclose(learnt(weighting), 2 * moved / moved.sum(), rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.12, 1.5])
def test_agrees_with_autograd_and_the_optimizer_of_torch(alpha):
    weighting, grams, losses = build(alpha=alpha, rate=0.05), *drawn(60)
    w = nn.Parameter(torch.ones(SCENES, dtype=torch.float64))
    optimizer = torch.optim.Adam([w], lr=0.05, eps=1e-30)
    for gram, loss in zip(grams, losses, strict=True):
        np.testing.assert_allclose(weighting.shared_weights(gram, loss, ALL), w.detach() / SCENES, rtol=1e-9)
        lengths = w * tensor(gram.diagonal() ** 0.5)
        ratios = tensor(loss / losses[0])
        target = (lengths.mean() * (ratios / ratios.mean()) ** alpha).detach()
        optimizer.zero_grad()
        (lengths - target).abs().sum().backward()
        optimizer.step()
        with torch.no_grad():
            w.clamp_(min=LEAST).mul_(SCENES / w.sum())
        assert (learnt(weighting) > 0).all()


def test_settles_where_all_gradients_are_equally_long():
    """Losses that fall alike, lengths 1, 2, 4: w ∝ (4, 2, 1), within the last steps of Adam."""
    weighting = build(rate=0.002)
    for _ in range(1500):
        weighting.shared_weights(np.diag([1.0, 4.0, 16.0]), np.full(SCENES, 2.0), ALL)
    np.testing.assert_allclose(learnt(weighting), np.array([12, 6, 3]) / 7, rtol=0.05)


def test_a_slow_scene_gets_a_longer_gradient():
    """Lengths 1, L/L(0) = (½, 1, 1): r = (0.6, 1.2, 1.2); the weights settle near r^α over its mean."""
    weighting = build(rate=0.002, alpha=0.5)
    weighting.shared_weights(np.eye(SCENES), np.array([2.0, 1.0, 3.0]), ALL)
    for _ in range(1500):
        weighting.shared_weights(np.eye(SCENES), np.array([1.0, 1.0, 3.0]), ALL)
    pace = np.array([0.5, 1.0, 1.0]) ** 0.5
    np.testing.assert_allclose(learnt(weighting), pace / pace.mean(), rtol=0.05)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_one_scale_for_all_gradients_or_for_one_loss_changes_nothing(scale):
    one, other = build(), build()
    for gram, loss in zip(*drawn(20), strict=True):
        one.shared_weights(gram, loss, ALL)
        other.shared_weights(gram * scale**2, loss * [1.0, scale, 1.0], ALL)
    np.testing.assert_allclose(learnt(other), learnt(one), rtol=1e-9)


def test_weights_stay_positive_and_keep_their_sum():
    """One gradient is always far too long: its weight ends at the least, 0.01 of the mean or nearly so."""
    weighting = build(rate=0.1)
    for _ in range(60):
        weighting.shared_weights(np.diag([1.0, 1.0, 1e12]), np.ones(SCENES), ALL)
        np.testing.assert_allclose(learnt(weighting).sum(), SCENES, rtol=1e-12)
    assert 0.9 * LEAST < learnt(weighting)[2] <= LEAST


def test_a_scene_out_of_sight_changes_in_nothing():
    grams, losses = drawn(9)
    weighting, seen = build(), np.array([True, False, True])
    for number in range(9):
        here = ALL if number < 4 else seen
        before = {key: value.clone() for key, value in weighting.state_dict().items()}
        used = weighting.shared_weights(grams[number], losses[number] * here, here)
        np.testing.assert_allclose(used, before["learnt"].numpy() / SCENES * here, rtol=1e-15)
    after = weighting.state_dict()
    for key in ("learnt", "start", "adam.state"):
        torch.testing.assert_close(after[key][..., 1], before[key][..., 1], rtol=0, atol=0)
    assert (after["learnt"] != before["learnt"]).tolist() == seen.tolist()
    np.testing.assert_allclose(learnt(weighting).sum(), SCENES, rtol=1e-12)


def test_scenes_that_are_never_seen_together_learn_as_if_they_were_alone():
    """Alone, a scene is as long as the mean: nothing moves. With none there, nothing happens."""
    weighting, (grams, losses) = build(), drawn(6)
    for number, (gram, loss) in enumerate(zip(grams, losses, strict=True)):
        weighting.shared_weights(gram, loss, np.arange(SCENES) == number % SCENES)
    np.testing.assert_allclose(learnt(weighting), np.ones(SCENES), rtol=1e-12)
    torch.testing.assert_close(weighting.start, tensor(np.diag(losses[:3])))
    np.testing.assert_array_equal(weighting.shared_weights(grams[0] * 0, losses[0] * 0, ~ALL), np.zeros(SCENES))
    np.testing.assert_allclose(learnt(weighting), np.ones(SCENES), rtol=1e-12)


def test_a_loss_of_zero_is_no_start_and_later_the_best_that_can_be():
    weighting = build()
    weighting.shared_weights(np.eye(SCENES), np.array([0.0, 1.0, 2.0]), ALL)
    assert weighting.start.isnan().tolist() == [True, False, False]
    np.testing.assert_allclose(weighting.remaining(np.array([3.0, 0.5, 0.0]), ALL), [1.0, 0.5, 1e-12])
    assert weighting.start.tolist() == [3.0, 1.0, 2.0]
    weighting.shared_weights(np.eye(SCENES), np.zeros(SCENES), ALL)
    assert np.isfinite(learnt(weighting)).all()


def test_a_zero_gradient_does_not_move_its_weight_but_for_the_sum():
    weighting = build()
    weighting.shared_weights(np.diag([0.0, 1.0, 4.0]), np.ones(SCENES), ALL)
    np.testing.assert_allclose(learnt(weighting), np.array([1.0, 1.0 + 0.0, 0.975]) * 3 / 2.975, rtol=1e-6)


@pytest.mark.parametrize("every", [1, 3])
def test_heads_are_weighted_as_the_trunk_in_every_step(common, shared_step, every):
    """x.grad = Σ w_i/S g_i and the head of scene i has w_i/S (h_i − i), all with h = 0."""
    made = common(tensor([[3.0, 0.0], [0.0, 4.0], [1.0, 1.0]], dtype=torch.float64))
    weighting, seen = build(every=every), []
    for _ in range(7):
        before = weighting.learnt / SCENES
        weights, slope, heads = shared_step(weighting, made)
        torch.testing.assert_close(weights, before)
        torch.testing.assert_close(slope, before @ made.gradients())
        torch.testing.assert_close(heads, -before * torch.arange(3))
        seen.append(before.tolist())
    assert len({tuple(weights) for weights in seen}) == math.ceil(7 / every)


@pytest.mark.parametrize(("name", "bad"), [("alpha", -0.1), ("alpha", math.nan), ("rate", 0.0)])
def test_refuses_numbers_out_of_range(name, bad):
    with pytest.raises(ValueError, match=rf"`{name}` must be a number (above|at least) 0\. Found"):
        GradientNormWeighting(2, **{name: bad})


@pytest.mark.parametrize(("off", "moved"), [(1e-9, False), (1e-4, True)])
def test_a_length_that_has_met_its_target_does_not_move(off, moved):
    """Adam's first step is as long whatever the slope is: rounding must not decide in which direction."""
    weighting = build(2)
    weighting.shared_weights(np.diag([1.0, (1 + off) ** 2]), np.array([4.0, 2.0]), np.array([True, True]))
    assert (learnt(weighting) != 1.0).any() == moved
