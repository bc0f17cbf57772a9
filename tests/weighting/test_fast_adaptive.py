from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from torch import nn, tensor

from iamm.weighting.fast_adaptive import FastAdaptiveWeighting


def drawn_losses(steps, scenes):
    return torch.rand(steps, scenes, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * 3 + 0.1


def weighting(scenes, **own):
    return FastAdaptiveWeighting(scenes, **own).double()


def test_by_hand_the_first_step(step):
    """ξ = 0, z = (½, ½), L = (2, 8): c = 1/(¼ + 1/16) = 3.2, w = 3.2 · (¼, 1/16) = (0.8, 0.2)."""
    weights, gradient = step(weighting(2), [2.0, 8.0])
    torch.testing.assert_close(weights, tensor([0.8, 0.2], dtype=torch.float64))
    torch.testing.assert_close(gradient, weights)


def test_by_hand_the_second_step(step):
    """The first loss halves, the other stays: δ = (½(ln 2 − ½ ln 2), ½(0 − ½ ln 2)) = (¼ ln 2, −¼ ln 2).

    Adam's first step is rate · sign: ξ = (−ln 2, ln 2) for a rate of ln 2. z = ½ : 2; at equal losses w = z.
    """
    rule = weighting(2, rate=math.log(2), decay=0.0)
    step(rule, [8.0, 4.0])
    weights, _ = step(rule, [4.0, 4.0])
    torch.testing.assert_close(rule.adam.state[0].tolist(), [0.1 * math.log(2) / 4, -0.1 * math.log(2) / 4])
    torch.testing.assert_close(weights.tolist(), [0.2, 0.8])


def test_agrees_with_algorithm_1_by_autograd(step):
    """Fifty steps of ξ by torch's own derivative of the softmax and its own Adam."""
    rule = weighting(4, rate=0.1, decay=0.01)
    logits = nn.Parameter(torch.zeros(4, dtype=torch.float64))
    optimizer = torch.optim.Adam([logits], lr=0.1, weight_decay=0.01)
    before = None
    for losses in drawn_losses(50, 4):
        if before is not None:
            optimizer.zero_grad()
            (torch.softmax(logits, dim=0) @ (before.log() - losses.log())).backward()
            optimizer.step()
        before = losses
        leaf = losses.clone().requires_grad_()
        z = torch.softmax(logits.detach(), dim=0)
        ((z * leaf.log()).sum() / (z / losses).sum()).backward()
        torch.testing.assert_close(step(rule, losses.tolist())[0], leaf.grad)


def test_weights_sum_to_one_and_so_do_those_of_the_observed_to_their_share(step):
    rule = weighting(4, rate=0.5)
    for losses in drawn_losses(5, 4):
        torch.testing.assert_close(step(rule, losses.tolist())[0].sum().item(), 1.0)
    weights, _ = step(rule, [0.5, 2.0, 0.0, 1.0], observed=[True, True, False, True])
    torch.testing.assert_close(weights.sum().item(), 0.75)


def test_the_unit_of_a_loss_changes_neither_the_logits_nor_the_direction(step):
    one, other = weighting(3), weighting(3)
    units = tensor([1.0, 1000.0, 0.01], dtype=torch.float64)
    for losses in drawn_losses(20, 3):
        weights, _ = step(one, losses.tolist())
        scaled, _ = step(other, (losses * units).tolist())
        parts, others = weights * losses, scaled * losses * units  # w_i L_i, whose ratios are those of z
        torch.testing.assert_close(parts / parts.sum(), others / others.sum())
    torch.testing.assert_close(one.logits, other.logits)


def test_a_scene_that_falls_more_slowly_gains_weight(step):
    rule = weighting(2)
    for number in range(30):
        step(rule, [0.9**number, 0.99**number])
    assert rule.logits[1] - rule.logits[0] > 1


def test_scenes_not_seen_twice_in_a_row_stand_still(step):
    """Seen: (0, 1, 2), (0, 1), (0, 2), (0, 1, 2): ξ_2 moves at the end only, ξ_1 in the second step only."""
    rule, losses = weighting(3), [0.5, 1.5, 2.5]
    step(rule, [1.0, 2.0, 3.0])
    states = []
    for unseen in (2, 1, None):
        step(rule, losses, observed=[scene != unseen for scene in range(3)])
        states.append((rule.logits.clone(), rule.adam.state.clone()))
        losses = [loss * 0.7 for loss in losses]
    (first, one), (second, two), (third, three) = states
    assert (first[:2] != 0).all()
    assert (first[2], one[:, 2].abs().sum()) == (0, 0)
    torch.testing.assert_close(second[1:], first[1:], rtol=0, atol=0)
    torch.testing.assert_close(two[:, 1:], one[:, 1:], rtol=0, atol=0)
    assert (third[1], three[2].tolist()) == (second[1], [3, 1, 1])


def test_what_two_scenes_learn_is_as_if_there_were_no_third(step):
    pair, three = weighting(2), weighting(3)
    for losses in drawn_losses(5, 2).tolist():
        expected, _ = step(pair, losses)
        weights, _ = step(three, [losses[0], 0.0, losses[1]], observed=[True, False, True])
        torch.testing.assert_close(weights[[0, 2]], expected * 2 / 3)


def test_accumulated_batches_move_it_once_by_their_mean(leaves, step):
    whole, parts = weighting(2), weighting(2)
    for first, second in drawn_losses(8, 2).unflatten(0, (4, 2)):
        expected, _ = step(whole, ((first + second) / 2).tolist())
        for losses in (first, second):
            made = leaves(losses.tolist())
            parts.backward(made.losses, observed=torch.ones(2, dtype=torch.bool), paths=made.paths, share=0.5)
        torch.testing.assert_close(parts.finish(), expected)
    torch.testing.assert_close(parts.adam.state, whole.adam.state)


def test_a_loss_of_zero_counts_as_the_smallest(step):
    one, other = weighting(2), weighting(2)
    for losses in ([1.0, 1.0], [0.0, 0.5], [0.0, 0.4]):
        weights, _ = step(one, losses)
        torch.testing.assert_close(weights, step(other, [max(loss, 1e-8) for loss in losses])[0])
        assert weights.isfinite().all()


def test_a_saved_state_goes_on_to_the_same_bits(step):
    rule, loaded = weighting(3), weighting(3)
    for losses in drawn_losses(4, 3).tolist():
        step(rule, losses)
    loaded.load_state_dict(deepcopy(rule.state_dict()), strict=True)
    for losses in drawn_losses(9, 3).tolist():
        torch.testing.assert_close(step(loaded, losses)[0], step(rule, losses)[0], rtol=0, atol=0)


def test_refuses_numbers_out_of_range():
    with pytest.raises(ValueError, match=r"`rate` must be a number above 0\. Found 0"):
        FastAdaptiveWeighting(2, rate=0.0)
    with pytest.raises(ValueError, match=r"`decay` must be a number at least 0\. Found -1"):
        FastAdaptiveWeighting(2, decay=-1.0)
