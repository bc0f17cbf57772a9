from __future__ import annotations

import math

import pytest
import torch
from torch import nn, tensor

from iamm.normaliser.temperature import TemperatureNormaliser


def test_by_hand():
    """τ = 2 and n = 3 in sight: 3² against 3⁰ twice, then n = 2: 2² against 2⁰."""
    normaliser = TemperatureNormaliser(4, 1)
    nn.init.constant_(normaliser.theta, math.log(2))
    allow = tensor([[True, True, True, False], [True, True, False, False]])
    found = normaliser(tensor([[[[1.0, 0.0, 0.0, 9.0], [1.0, 0.0, 9.0, 9.0]]]]), allow)
    torch.testing.assert_close(found, tensor([[[[9 / 11, 1 / 11, 1 / 11, 0.0], [0.8, 0.2, 0.0, 0.0]]]]))


def test_starts_as_softmax_at_the_given_number_of_places(case):
    scores = case[0]
    torch.testing.assert_close(TemperatureNormaliser(4, 3, places=7).double()(scores, None), scores.softmax(-1))


@pytest.mark.parametrize("places", [2, 101, 10007])
def test_a_lead_keeps_its_weight_among_any_number(places):
    """As the docstring says: a lead of 1/τ keeps at least half."""
    scores = torch.zeros(1, 1, 1, places)
    scores[..., 1] = math.log(32)
    assert TemperatureNormaliser(4, 1, places=32)(scores, None)[..., 1].item() >= 0.5
    assert places == 2 or scores.softmax(-1)[..., 1].item() < 0.5


def test_agrees_with_a_loop(case, naive_weights, agree):
    """Each head with a θ of its own."""
    scores, allow = case
    normaliser = TemperatureNormaliser(4, 3).double()
    with torch.no_grad():
        normaliser.theta.copy_(tensor([-1.0, 0.0, 0.5]).view(3, 1, 1))

    def head(theta):
        def weigh(seen):
            powers = [len(seen) ** (theta.exp() * score) for score in seen]
            return [power / sum(powers) for power in powers]

        return weigh

    thetas = normaliser.theta.flatten()
    parts = [naive_weights(head(thetas[h]), scores[:, h : h + 1], allow) for h in range(3)]
    agree(normaliser(scores, allow), torch.cat(parts, dim=1), [scores, normaliser.theta])


@pytest.mark.parametrize("places", [1, 0])
def test_refuses_too_few_places(places):
    with pytest.raises(ValueError, match=rf"`places` must be a whole number at least 2\. Found {places}\."):
        TemperatureNormaliser(4, 1, places=places)
