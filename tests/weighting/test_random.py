from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch

from iamm.weighting.draws import Draws
from iamm.weighting.random import AHEAD, RandomWeighting


def applied(step, weighting, steps):
    return torch.stack([step(weighting, [1.0] * weighting.scenes)[0] for _ in range(steps)])


def test_by_hand(step):
    """The softmax of the run's first normal numbers, and of its next ones once these are used up."""
    found, draws = applied(step, RandomWeighting(3, seed=7).double(), AHEAD + 1), Draws(7)
    for done in (0, AHEAD):
        powers = np.exp(draws.generator().standard_normal(3))
        torch.testing.assert_close(found[done].tolist(), (powers / powers.sum()).tolist())


def test_each_step_is_another_and_each_run_the_same(step):
    first = applied(step, RandomWeighting(3, seed=7).double(), 2 * AHEAD + 1)
    assert len(first.unique(dim=0)) == len(first)
    torch.testing.assert_close(applied(step, RandomWeighting(3, seed=7).double(), len(first)), first, rtol=0, atol=0)
    assert (applied(step, RandomWeighting(3, seed=8).double(), 5) != first[:5]).all()


def test_on_average_all_weigh_the_same(step):
    """500 draws: the standard error of a mean is below 0.01."""
    weights = applied(step, RandomWeighting(3, seed=7).double(), 500)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(500, dtype=torch.float64))
    torch.testing.assert_close(weights.mean(dim=0).tolist(), [1 / 3] * 3, atol=0.03, rtol=0)
    assert weights.std(dim=0).min() > 0.15


def test_the_batches_of_a_step_are_weighted_alike(leaves, step):
    once, twice = RandomWeighting(3, seed=7).double(), RandomWeighting(3, seed=7).double()
    for expected in applied(step, once, 3):
        made = leaves([1.0, 2.0, 3.0])
        for _ in range(2):
            twice.backward(made.losses, observed=torch.ones(3, dtype=torch.bool), paths=made.paths, share=0.5)
        torch.testing.assert_close(twice.finish(), expected)
        torch.testing.assert_close(made.slopes, expected)


def test_a_scene_out_of_sight_changes_nothing_for_the_others(step):
    expected = applied(step, RandomWeighting(3, seed=7).double(), 1)[0]
    weights, _ = step(RandomWeighting(3, seed=7).double(), [1.0, 0.0, 1.0], observed=[True, False, True])
    torch.testing.assert_close(weights, expected * torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64))


def test_a_saved_state_goes_on_to_the_same_draws(step):
    whole = applied(step, RandomWeighting(3, seed=7).double(), AHEAD + 3)
    for done in (3, AHEAD):
        stopped, loaded = RandomWeighting(3, seed=7).double(), RandomWeighting(3, seed=7).double()
        applied(step, stopped, done)
        loaded.load_state_dict(deepcopy(stopped.state_dict()), strict=True)
        torch.rand(5)
        torch.testing.assert_close(applied(step, loaded, AHEAD + 3 - done), whole[done:], rtol=0, atol=0)
