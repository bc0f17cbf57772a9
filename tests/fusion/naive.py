"""Layers as loops over single positions, in plain sums: the references of fusions that work position by position."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn, tensor

from iamm.encoder.base import Features


def each_position(values: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of one vector (D,), at every position of (B, T, D)."""
    return torch.stack([torch.stack([function(x) for x in row]) for row in values])


def normed(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    spread = torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    return (x - x.mean()) / spread * norm.weight + norm.bias


def two_layers(x: Tensor, network: nn.Sequential) -> Tensor:
    """W₂ relu(W₁ x + b₁) + b₂ of the first and the last linear layer of a network."""
    first, last = [layer for layer in network if isinstance(layer, nn.Linear)]
    return last.weight @ torch.clamp(first.weight @ x + first.bias, min=0.0) + last.bias


def softmax_sum(scores: Sequence[Tensor], vectors: Sequence[Tensor]) -> Tensor:
    powers = [torch.exp(score) for score in scores]
    return sum(power / sum(powers) * vector for power, vector in zip(powers, vectors, strict=True))


def mean_of_real(values: Tensor, allow: Tensor) -> Tensor:
    """Of one example, (T, D) and (T,); zero where nothing is real."""
    real = [x for x, there in zip(values, allow, strict=True) if there]
    return sum(real) / len(real) if real else torch.zeros_like(values[0])


def always(network: nn.Sequential, *numbers: float) -> None:
    """Make a network give these numbers, whatever it reads."""
    last = network[-1]
    nn.init.zeros_(last.weight)
    last.bias.data = tensor(numbers, dtype=last.bias.dtype)


def one_position(*numbers: float) -> Features:
    """One example with one position."""
    return Features(tensor([[numbers]]), tensor([[True]]))


def varied(fusion: nn.Module) -> nn.Module:
    """In float64, with every parameter drawn anew: none is still 0 or 1, so a factor left out would be missed."""
    torch.manual_seed(0)
    for parameter in fusion.double().parameters():
        nn.init.normal_(parameter, std=0.5)
    return fusion
