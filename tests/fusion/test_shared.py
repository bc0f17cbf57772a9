from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.encoder.base import Features
from iamm.fusion.shared import SharedFusion
from tests.fusion.naive import each_position, normed, two_layers, varied


def test_by_hand():
    """x = (300, 100): norm (1, −1), W₁ norm = 2 · 1 − 3 · (−1) = 5, W₂ = (4, −7)ᵀ: x' = (320, 65)."""
    fusion = SharedFusion(["a"], 2, feed_forward=1, dropout=0.0).double()
    first, _, _, second = fusion.blocks[0][1]
    for layer in (first, second):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    first.weight.data[0] = tensor([2.0, -3.0])
    second.weight.data[:, 0] = tensor([4.0, -7.0])
    allow = tensor([[True]])
    fused = fusion({"a": Features(tensor([[[300.0, 100.0]]], dtype=torch.float64), allow)}).features["a"]
    torch.testing.assert_close(fused.values, tensor([[[320.0, 65.0]]], dtype=torch.float64))
    assert fused.allow is allow


def test_equals_the_naive_loop_with_gradients(features, agree):
    fusion = varied(SharedFusion(["a", "b"], 5, layers=2, feed_forward=3, dropout=0.0))
    given = features("ab", 5)
    found = fusion(given).features

    def one(x):
        for norm, layers in fusion.blocks:
            x = x + two_layers(normed(x, norm), layers)
        return x

    for name, scene in given.items():
        agree(found[name].values, each_position(scene.values, one), [scene.values, *fusion.parameters()])
