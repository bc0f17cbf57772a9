"""Pruning by hand, and against a plain sort over all weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.engine.technique.pruning import Pruning


@pytest.fixture
def layers() -> nn.Sequential:
    """Weights 1, −6, 3, −4 and 5, −2, and biases below them all."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -6.0], [3.0, -4.0]]))
        model[1].weight.copy_(torch.tensor([[5.0, -2.0]]))
        for layer in model:
            layer.bias.fill_(0.5)
    return model


def weights(model: nn.Sequential) -> list[float]:
    return [value for layer in model for value in layer.weight.flatten().tolist()]


@pytest.mark.parametrize(
    ("progress", "left"),
    [
        (0.0, [1, -6, 3, -4, 5, -2]),
        (0.125, [0, -6, 3, -4, 5, -2]),  # 0.5 (1 − (5/6)³) = 0.2106 of 6: 1.26
        (0.25, [0, -6, 3, -4, 5, 0]),  # 0.5 (1 − (2/3)³) = 0.3519: 2.11
        (0.375, [0, -6, 0, -4, 5, 0]),  # 0.5 (1 − (1/2)³) = 0.4375: 2.63
        (0.75, [0, -6, 0, -4, 5, 0]),  # 0.5: 3
        (1.0, [0, -6, 0, -4, 5, 0]),
    ],
)
def test_the_smallest_weights_of_the_whole_model(progress, left, layers):
    pruning = Pruning(layers, 0.5)
    pruning.end_step(progress)
    assert weights(layers) == left
    assert pruning.sparsity == pytest.approx(left.count(0) / 6)
    assert [layer.bias.tolist() for layer in layers] == [[0.5, 0.5], [0.5]]


def test_a_pruned_weight_stays_pruned(layers):
    """Whatever an optimizer adds to it; and one that is 0 by itself is no pruned one."""
    pruning = Pruning(layers, 0.5)
    pruning.end_step(0.25)
    with torch.no_grad():
        layers[0].weight += 100.0
        layers[1].weight[0, 0] = 0.0
    pruning.end_step(0.25)
    assert weights(layers) == [0, 94, 103, 96, 0, 0]
    with torch.no_grad():
        layers[1].weight += 7.0
    pruning.end_step(0.25)
    assert weights(layers) == [0, 94, 103, 96, 7, 0]


def test_as_a_plain_sort():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.GRU(7, 5), nn.Embedding(11, 3))
    every = torch.cat([p.detach().abs().flatten() for p in model.parameters() if p.dim() > 1])
    Pruning(model, 0.7).end_step(1.0)
    left = torch.cat([p.detach().abs().flatten() for p in model.parameters() if p.dim() > 1])
    smallest = every.sort().values[round(0.7 * len(every))]
    assert torch.equal(left, torch.where(every < smallest, 0.0, every))


def test_the_state_is_what_is_kept(layers):
    pruning = Pruning(layers, 0.5)
    pruning.end_step(0.25)
    with torch.no_grad():
        layers[0].weight += 100.0
    again = Pruning(layers, 0.5)
    again.load_state_dict(pruning.state_dict())
    again.end_step(0.25)
    assert weights(layers) == [0, 94, 103, 96, 5, 0]
