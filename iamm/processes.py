"""What one process of several must know of the others; alone, everything stays as it is."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn


def count() -> int:
    there = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if there else 1


def several() -> bool:
    return count() > 1


def mean(values: Tensor) -> Tensor:
    """The mean over all processes, the same in each."""
    if not several():
        return values
    values = values.clone()
    distributed.all_reduce(values)
    return values / count()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Every gradient becomes its mean over the processes; one that a process lacks counts as zero there."""
    if not several():
        return
    held = [parameter for parameter in parameters if parameter.requires_grad]
    flat = mean(torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in held]))
    for parameter, part in zip(held, flat.split([p.numel() for p in held]), strict=True):
        parameter.grad = part.view_as(parameter)
