from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.fusion.task_attention import TaskAttentionFusion
from tests.fusion.naive import always, each_position, normed, one_position, two_layers, varied


def test_one_layer_by_hand():
    """p = x + (4, 8); a's mask is (0.75, 0.5), b's is 0.5 everywhere."""
    fusion = TaskAttentionFusion(("a", "b"), 2, layers=1, dropout=0.0, scene_dropout=0.0)
    always(fusion.layers[0].block[1], 4.0, 8.0)
    always(fusion.layers[0].masks["a"], math.log(3.0), 0.0)
    always(fusion.layers[0].masks["b"], 0.0, 0.0)
    fused = fusion({name: one_position(300.0, 100.0) for name in "ab"}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([228.0, 54.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([152.0, 54.0]))


def test_three_layers_equal_the_naive_loop_with_gradients(features, agree):
    fusion = varied(TaskAttentionFusion(("a", "b"), 5, layers=3, dropout=0.0)).eval()
    given = features("abc", 5)
    found = fusion(given).features

    def one(x, name):
        shared, read = x, x
        for layer in fusion.layers:
            masks = layer.masks.own[name] if name != "c" else layer.masks.unknown
            mask = 1 / (1 + torch.exp(-two_layers(read, masks)))
            shared = shared + two_layers(normed(shared, layer.block[0]), layer.block[1])
            attended = mask * shared
            read = torch.cat((shared, attended))
        return attended

    for name in "abc":
        expected = each_position(given[name].values, lambda x, name=name: one(x, name))
        agree(found[name].values, expected, [given[name].values, *fusion.parameters()])
