from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from torch import tensor

from iamm.weighting.validation_performance import ValidationPerformanceWeighting


def applied(step, validations, **own):
    rule = ValidationPerformanceWeighting(len(validations[0]), **own).double()
    for qualities in validations:
        rule.end_validation(tensor(qualities, dtype=torch.float64))
    return step(rule, [1.0] * len(validations[0]))[0].tolist()


def test_by_hand(step):
    """κ = (½, ¼), γ = 1: ½ ln 2 and ¾ · 2 ln 2, that is 1 : 3."""
    torch.testing.assert_close(applied(step, [[0.5, 0.25]]), [0.25, 0.75])


def test_by_hand_the_running_mean(step):
    """m = ¾: κ = ¾ · ½ + ¼ · ½ = ½ and ¾ · 0.3 + ¼ · 0.1 = ¼."""
    torch.testing.assert_close(applied(step, [[0.5, 0.3], [0.5, 0.1]], memory=0.75), [0.25, 0.75])


def test_agrees_with_a_loop(step):
    validations = [[0.1, 0.9, 0.5], [0.2, 0.7, 0.6], [0.4, 0.8, 0.6]]
    means = validations[0]
    for qualities in validations[1:]:
        means = [0.9 * old + 0.1 * new for old, new in zip(means, qualities, strict=True)]
    priorities = [-((1 - mean) ** 2) * math.log(mean) for mean in means]
    expected = [priority / sum(priorities) for priority in priorities]
    torch.testing.assert_close(applied(step, validations, focus=2.0, memory=0.9), expected)


def test_is_equal_before_the_first_validation_and_where_all_do_as_well(step):
    rule = ValidationPerformanceWeighting(4).double()
    weights, gradient = step(rule, [5.0, 1.0, 2.0, 0.1])
    torch.testing.assert_close(weights.tolist(), [0.25] * 4)
    torch.testing.assert_close(gradient, weights)
    for quality in (0.0, 0.3, 1.0):
        torch.testing.assert_close(applied(step, [[quality] * 4]), [0.25] * 4)


def test_losses_and_epochs_change_nothing(step):
    rule = ValidationPerformanceWeighting(2).double()
    rule.end_validation(tensor([0.5, 0.25]))
    rule.end_epoch(tensor([9.0, 1.0]))
    torch.testing.assert_close(step(rule, [100.0, 0.0])[0].tolist(), [0.25, 0.75])


def test_perfect_and_hopeless_scenes_keep_a_finite_weight(step):
    """κ is taken as 0.999 and 0.001: 0.001 · 0.0010005 against 0.999 · 6.9078."""
    perfect, hopeless = applied(step, [[1.0, 0.0]])
    torch.testing.assert_close(perfect / hopeless, 0.001 * -math.log(0.999) / (0.999 * -math.log(0.001)))
    torch.testing.assert_close(applied(step, [[0.999, 0.001]]), [perfect, hopeless])


def test_focus_leaves_less_to_scenes_that_do_well(step):
    shares = [applied(step, [[0.9, 0.5]], focus=focus)[0] for focus in (0.0, 1.0, 3.0)]
    assert shares == sorted(shares, reverse=True)
    torch.testing.assert_close(shares[0], math.log(0.9) / (math.log(0.9) + math.log(0.5)))


def test_a_saved_state_goes_on_to_the_same_bits(step):
    rule, loaded = ValidationPerformanceWeighting(2), ValidationPerformanceWeighting(2)
    rule.end_validation(tensor([0.3, 0.8]))
    loaded.load_state_dict(deepcopy(rule.state_dict()), strict=True)
    for either in (rule, loaded):
        either.end_validation(tensor([0.5, 0.7]))
    torch.testing.assert_close(step(loaded, [1.0, 1.0])[0], step(rule, [1.0, 1.0])[0], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "bad"), [("focus", -1.0), ("focus", math.nan), ("memory", -0.1), ("memory", 1.0), ("memory", math.nan)]
)
def test_refuses_numbers_out_of_range(name, bad):
    with pytest.raises(ValueError, match=rf"`{name}` must .*\. Found"):
        ValidationPerformanceWeighting(2, **{name: bad})
