from __future__ import annotations

import math

import torch
from torch import nn, tensor

from iamm.normaliser.sink import SinkNormaliser


def test_by_hand():
    """e^θ = 2: 1/(2 + 1 + 3), 3/(2 + 1 + 3), and alone 6/(2 + 6)."""
    normaliser = SinkNormaliser(4, 1)
    nn.init.constant_(normaliser.theta, math.log(2))
    allow = tensor([[True, True, False], [False, True, False]])
    scores = tensor([[[[0.0, math.log(3), 50.0], [50.0, math.log(6), 50.0]]]])
    torch.testing.assert_close(normaliser(scores, allow), tensor([[[[1 / 6, 1 / 2, 0.0], [0.0, 3 / 4, 0.0]]]]))


def test_a_history_in_which_nothing_fits_has_almost_no_weight():
    weights = SinkNormaliser(4, 1)(torch.full((1, 1, 1, 5), -9.0), None)
    assert 0 < weights.sum().item() < 1e-3


def test_agrees_with_a_loop(case, naive_weights, agree):
    """Each head with a θ of its own."""
    scores, allow = case
    normaliser = SinkNormaliser(4, 3).double()
    with torch.no_grad():
        normaliser.theta.copy_(tensor([-1.0, 0.0, 0.5]).view(3, 1, 1))

    def head(theta):
        def weigh(seen):
            powers = [torch.exp(score) for score in seen]
            return [power / (torch.exp(theta) + sum(powers)) for power in powers]

        return weigh

    thetas = normaliser.theta.flatten()
    parts = [naive_weights(head(thetas[h]), scores[:, h : h + 1], allow) for h in range(3)]
    agree(normaliser(scores, allow), torch.cat(parts, dim=1), [scores, normaliser.theta])
