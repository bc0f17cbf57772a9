from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import tensor

from iamm.attention.ridge import RidgeAttention
from iamm.encoder.base import Features
from iamm.head.inner_product import InnerProductHead

ALLOW = tensor([[True, True, True], [True, True, False], [True, False, False]])


@pytest.fixture
def features() -> Features:
    values = tensor(
        [
            [[1.0, 2.0], [3.0, 1.0], [1.0, -1.0]],
            [[1.0, -1.0], [2.0, 5.0], [9.0, 9.0]],
            [[4.0, 4.0], [1.0, 1.0], [1.0, 1.0]],
        ]
    )
    return Features(values, ALLOW)


def test_by_hand(scene, features):
    """⟨(1, 2), (2, 0)⟩ = 2, ⟨(1, −1), (2, 5)⟩ = −3, and 0 where there is no history; at first p = σ(⟨c, h⟩)."""
    head = InnerProductHead(scene("ranking"), 2)
    expected = [1 / (1 + math.exp(-score)) for score in (2.0, -3.0, 0.0)]
    torch.testing.assert_close(head.predictions(features), tensor(expected, dtype=torch.float64))
    with torch.no_grad():
        head.layers.weight.fill_(0.5)
        head.layers.bias.fill_(-1.0)
    torch.testing.assert_close(head.scores(features), tensor([0.0, -2.5, -1.0]))


def test_a_history_may_be_pooled_by_attention(scene, features):
    head = InnerProductHead(scene("ranking"), 2, attention=partial(RidgeAttention, ridge=0.5))
    history, _ = head.pooled(features)
    torch.testing.assert_close(head.scores(features), (features.values[:, 0] * history).sum(dim=1))
    assert sorted(name for name, _ in head.named_parameters()) == ["attention.theta", "layers.bias", "layers.weight"]
