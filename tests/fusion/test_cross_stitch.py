from __future__ import annotations

import torch
from torch import tensor

from iamm.fusion.cross_stitch import CrossStitchFusion
from tests.fusion.naive import always, each_position, normed, one_position, two_layers, varied


def test_the_start_by_hand():
    """Networks that add (10, 0) and (0, 10): 0.9 of the own and 0.1 of the other; of an unknown scene, half of each."""
    fusion = CrossStitchFusion(("a", "b"), 2, layers=1, dropout=0.0, scene_dropout=0.0)
    always(fusion.last.blocks["a"][1], 10.0, 0.0)
    always(fusion.last.blocks["b"][1], 0.0, 10.0)
    fused = fusion({name: one_position(300.0, 100.0) for name in "abc"}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([309.0, 101.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([301.0, 109.0]))
    torch.testing.assert_close(fused["c"].values[0, 0], tensor([305.0, 105.0]))


def test_two_layers_equal_the_naive_loop_with_gradients(features, agree):
    names = ["a", "b", "d"]
    fusion = varied(CrossStitchFusion(names, 5, layers=2, feed_forward=2, dropout=0.0)).eval()
    given = features("abc", 5)
    found = fusion(given).features

    def one(x, name):
        streams = dict.fromkeys(names, x)
        for column, is_last in zip((*fusion.inner, fusion.last), (False, True), strict=True):
            outputs = {
                other: h + two_layers(normed(h, column.blocks[other][0]), column.blocks[other][1])
                for other, h in streams.items()
            }
            stitches = dict(column.stitches.items())
            if is_last:
                stitches["c"] = fusion.unknown
            streams = {other: sum(stitch.shares[k] * outputs[k] for k in names) for other, stitch in stitches.items()}
        return streams[name]

    for name in "abc":
        expected = each_position(given[name].values, lambda x, name=name: one(x, name))
        agree(found[name].values, expected, [given[name].values, *fusion.parameters()])
