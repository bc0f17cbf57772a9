"""Low-rank changes of all linear maps."""

from __future__ import annotations

import torch
from torch import nn

from iamm.transfer.low_rank import LowRank, LowRankTransfer


def test_the_change_by_value():
    weight = torch.arange(6.0).reshape(2, 3)
    part = LowRank(weight, 2)
    torch.testing.assert_close(part(weight), weight, rtol=0, atol=0)  # B = 0
    with torch.no_grad():
        part.up.copy_(torch.tensor([[1.0, 0.0], [2.0, -1.0]]))
        part.down.copy_(torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]))
    change = torch.tensor([[1.0, 2.0, 3.0], [2.0, 3.0, 6.0]])  # B A
    torch.testing.assert_close(part(weight), weight + change)


def test_a_begins_with_the_deviation_of_the_source():
    torch.manual_seed(0)
    down = LowRank(torch.zeros(3, 4000), 4).down
    torch.testing.assert_close(down.std(), torch.tensor(0.5), rtol=0.02, atol=0)


def test_it_begins_as_the_source_and_only_the_changes_are_trained(task):
    made = task()
    losses = made.losses()
    linear = [module for module in made.model.modules() if isinstance(module, nn.Linear)]
    weights = [module.weight.detach().clone() for module in linear]
    material = made.material(2)
    LowRankTransfer(rank=2, steps=1, rate=1e-30).adapt(made.model, material)
    torch.testing.assert_close(made.losses(), losses)
    other = task()
    LowRankTransfer(rank=2, steps=2).adapt(other.model, material)
    for module, weight in zip([m for m in other.model.modules() if isinstance(m, nn.Linear)], weights, strict=True):
        torch.testing.assert_close(module.parametrizations.weight.original, weight, rtol=0, atol=0)
        assert module.parametrizations.weight[0].down.shape == (2, weight.shape[1])
    moved = [m for m in other.model.modules() if isinstance(m, LowRank) and m.up.any()]
    assert moved


def test_each_linear_map_has_one(task):
    made = task()
    count = sum(isinstance(module, nn.Linear) for module in made.model.modules())
    LowRankTransfer().adapt(made.model, made.material(0))
    assert sum(isinstance(module, LowRank) for module in made.model.modules()) == count > 3
