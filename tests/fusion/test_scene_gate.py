from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.fusion.scene_gate import SceneGateFusion
from tests.fusion.naive import each_position, one_position, two_layers, varied


def test_every_gate_begins_as_one(features):
    given = features("abc", 5)
    for name, scene in SceneGateFusion(("a", "b"), 5).double()(given).features.items():
        torch.testing.assert_close(scene.values, given[name].values, rtol=0, atol=0)


def test_by_hand():
    """Hidden units: relu(e_s) with e_a = 2 and e_b = −1; W₂ = (½ ln 3, 0): gates 2 · ¾ and 1, or 1 and 1."""
    fusion = SceneGateFusion(("a", "b"), 2, width=1, scene_dropout=0.0)
    fusion.vectors["a"].value.data = tensor([2.0])
    fusion.vectors["b"].value.data = tensor([-1.0])
    first, _, last = fusion.gate
    first.weight.data = tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    first.bias.data.zero_()
    last.weight.data = tensor([[math.log(3.0) / 2, 0.0], [0.0, 0.0]])
    fused = fusion({name: one_position(300.0, 100.0) for name in "ab"}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([450.0, 100.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([300.0, 100.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    """The gate reads x without a gradient to it."""
    fusion = varied(SceneGateFusion(("a", "b"), 5, width=3)).eval()
    given = features("abc", 5)
    found = fusion(given).features
    vectors = {"a": fusion.vectors.own["a"], "b": fusion.vectors.own["b"], "c": fusion.vectors.unknown}
    for name, vector in vectors.items():

        def one(x, e=vector.value):
            return x * 2 / (1 + torch.exp(-two_layers(torch.cat((x.detach(), e)), fusion.gate)))

        agree(found[name].values, each_position(given[name].values, one), [given[name].values, *fusion.parameters()])
