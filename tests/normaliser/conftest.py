"""Scores to normalise, and the reference: one row at a time, in Python, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture
def case():
    """Scores (2, 3, 5, 7) in float64 with graph; allow (2, 1, 5, 7), one row of it empty, one with a single place."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 5, 7, generator=generator, dtype=torch.float64, requires_grad=True)
    allow = torch.rand((2, 1, 5, 7), generator=generator) < 0.6
    allow[1, 0, 2] = False
    allow[0, 0, 1] = torch.arange(7) == 3
    return scores, allow


def naive(weigh: Callable[[list[Tensor]], list[Tensor]], scores: Tensor, allow: Tensor) -> Tensor:
    """`weigh` takes the scores in sight of one row and gives their weights; all others are zero."""
    rows = []
    for row, seen in zip(scores.flatten(0, -2), allow.expand_as(scores).flatten(0, -2), strict=True):
        weights = [torch.zeros_like(row[0])] * len(row)
        places = [k for k in range(len(row)) if seen[k]]
        for k, weight in zip(places, weigh([row[k] for k in places]), strict=True):
            weights[k] = weight
        rows.append(torch.stack(weights))
    return torch.stack(rows).view_as(scores)


@pytest.fixture
def naive_weights():
    return naive
