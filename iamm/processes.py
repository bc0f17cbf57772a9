"""Averages over the processes of a distributed run; in a single process, they change nothing."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn


def count() -> int:
    distributed_run = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if distributed_run else 1


def several() -> bool:
    return count() > 1


def mean(values: Tensor) -> Tensor:
    """Give the mean over all processes, the same in each."""
    if not several():
        return values
    values = values.clone()
    distributed.all_reduce(values)
    return values / count()


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes; a missing gradient counts as zero."""
    if not several():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    flat = mean(torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in trained]))
    for parameter, part in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
        parameter.grad = part.view_as(parameter)
