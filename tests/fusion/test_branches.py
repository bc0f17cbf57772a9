from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.fusion.branches import BranchesFusion
from tests.fusion.naive import always, each_position, mean_of_real, normed, one_position, two_layers, varied

NAMES = ("a", "b", "d")


def test_by_hand():
    """b_a = (1, 2), b_b = (5, −9); V = I, so relu(6, −7) = (6, 0), and W = 10 · I adds (60, 0) to both."""
    fusion = BranchesFusion(NAMES, 2, dropout=0.0, scene_dropout=0.0)
    always(fusion.blocks["a"][1], 1.0, 1.0)
    always(fusion.blocks["b"][1], 2.0, -4.0)
    for name in NAMES:
        nn.init.eye_(fusion.columns[name].weight)
    fusion.fuse[1].weight.data = 10 * torch.eye(2)
    fused = fusion({"a": one_position(0.0, 1.0), "b": one_position(3.0, -5.0)}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([61.0, 2.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([65.0, -9.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    """a is of the run, c is not; rows of each are absent now and then."""
    fusion = varied(BranchesFusion(NAMES, 5, feed_forward=2, dropout=0.0)).eval()
    given = features("ac", 5)
    found = fusion(given).features
    blocks = {"a": fusion.blocks.own["a"], "c": fusion.blocks.unknown}
    columns = {"a": fusion.columns.own["a"], "c": fusion.columns.unknown}
    branches = {
        name: each_position(scene.values, lambda x, block=blocks[name]: x + two_layers(normed(x, block[0]), block[1]))
        for name, scene in given.items()
    }
    rows = []
    for b in range(4):
        parts = [columns[name].weight @ mean_of_real(branches[name][b], given[name].allow[b]) for name in given]
        rows.append(fusion.fuse[1].weight @ torch.clamp(sum(parts), min=0.0))
    for name, scene in given.items():
        expected = torch.stack([branches[name][b] + rows[b] for b in range(4)])
        agree(found[name].values, expected, [scene.values, *fusion.parameters()])
