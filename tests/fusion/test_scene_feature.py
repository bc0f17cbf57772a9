from __future__ import annotations

import torch
from torch import tensor

from iamm.fusion.scene_feature import SceneFeatureFusion
from tests.fusion.naive import each_position, normed, one_position, two_layers, varied


def test_by_hand():
    """Hidden units: relu(e_s) with e_a = 2 and e_b = −1, which is added to the first feature ten times."""
    fusion = SceneFeatureFusion(("a", "b"), 2, width=1, feed_forward=1, dropout=0.0, scene_dropout=0.0)
    fusion.vectors["a"].value.data = tensor([2.0])
    fusion.vectors["b"].value.data = tensor([-1.0])
    first, *_, last = fusion.layers
    first.weight.data = tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    first.bias.data.zero_()
    last.weight.data = tensor([[10.0, 0.0], [0.0, 0.0]])
    last.bias.data.zero_()
    fused = fusion({name: one_position(300.0, 100.0) for name in "ab"}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([320.0, 100.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([300.0, 100.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    fusion = varied(SceneFeatureFusion(("a", "b"), 5, width=3, dropout=0.0)).eval()
    given = features("abc", 5)
    found = fusion(given).features
    vectors = {"a": fusion.vectors.own["a"], "b": fusion.vectors.own["b"], "c": fusion.vectors.unknown}
    for name, vector in vectors.items():

        def one(x, e=vector.value):
            return x + two_layers(torch.cat((normed(x, fusion.norm), e)), fusion.layers)

        agree(found[name].values, each_position(given[name].values, one), [given[name].values, *fusion.parameters()])
