from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.encoder.base import Features
from iamm.fusion.shared import SharedFusion


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
    torch.manual_seed(0)
    fusion = SharedFusion(["a", "b"], 5, layers=2, feed_forward=3, dropout=0.0).double()
    for norm, _ in fusion.blocks:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    given = features("ab", 5)
    found = fusion(given).features
    for name, scene in given.items():
        rows = []
        for x in scene.values.flatten(0, 1):
            for norm, (first, _, _, second) in fusion.blocks:
                spread = torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
                hidden = first.weight @ ((x - x.mean()) / spread * norm.weight + norm.bias) + first.bias
                x = x + second.weight @ hidden.clamp(min=0) + second.bias
            rows.append(x)
        expected = torch.stack(rows).view_as(scene.values)
        agree(found[name].values, expected, [scene.values, *fusion.parameters()])
