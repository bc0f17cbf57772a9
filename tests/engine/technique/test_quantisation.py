"""Integers of 8 bits by hand, and against a naive rounding."""

from __future__ import annotations

import torch
from torch import nn

from iamm.engine.technique.quantisation import QuantisedLinear, quantise, size


def linear(weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def test_by_hand():
    """s = 1/127 and 2/127: the rows are 127, −38 and 25, 127. x = (1.27, 0.642) is 127, 64 with s = 0.01."""
    layer = QuantisedLinear(linear(torch.tensor([[1.0, -0.3], [0.4, 2.0]]), torch.tensor([0.5, -1.0])))
    assert layer.whole.tolist() == [[127, -38], [25, 127]]
    torch.testing.assert_close(layer.weight, torch.tensor([[127.0, -38.0], [50.0, 254.0]]) / 127)
    expected = torch.tensor([1.27 - 0.64 * 38 / 127 + 0.5, 1.27 * 50 / 127 + 0.64 * 2 - 1.0])
    torch.testing.assert_close(layer(torch.tensor([[1.27, 0.642]]))[0], expected)


def test_as_a_naive_rounding():
    generator = torch.Generator().manual_seed(0)
    plain, values = nn.Linear(11, 5), torch.randn(2, 7, 11, generator=generator)
    expected = torch.zeros(2, 7, 5)
    for example in range(2):
        for place in range(7):
            x = values[example, place]
            step = max(abs(value) for value in x.tolist()) / 127
            for output, row in enumerate(plain.weight.tolist()):
                own = max(map(abs, row)) / 127
                whole = sum(round(w / own) * round(float(v) / step) for w, v in zip(row, x, strict=True))
                expected[example, place, output] = own * step * whole + plain.bias[output].item()
    torch.testing.assert_close(QuantisedLinear(plain)(values), expected)


def test_rows_of_zeros():
    layer = QuantisedLinear(linear(torch.zeros(3, 2)))
    assert torch.equal(layer(torch.tensor([[1.0, 1.0], [0.0, 0.0]])), torch.zeros(2, 3))


def test_a_model():
    """Its linear layers alone: a byte a weight and four an output, in the place of four a weight."""
    model = nn.Sequential(nn.Linear(11, 5), nn.Sequential(nn.LayerNorm(5), nn.Linear(5, 3, bias=False)))
    assert size(model) == 4 * (5 * 11 + 5 + (5 + 5) + 3 * 5)
    quantise(model)
    kinds = [type(part) for part in (model[0], *model[1])]
    assert kinds == [QuantisedLinear, nn.LayerNorm, QuantisedLinear]
    assert size(model) == (5 * 11 + 4 * 5) + 4 * (5 + 5 + 5) + (3 * 5 + 4 * 3)
