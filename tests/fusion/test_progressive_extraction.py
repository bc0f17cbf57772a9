from __future__ import annotations

import math

import pytest
import torch
from torch import tensor

from iamm.fusion.progressive_extraction import ProgressiveExtractionFusion
from tests.fusion.naive import always, each_position, normed, one_position, softmax_sum, two_layers, varied


def test_one_level_by_hand():
    """u = (1, −1). a weighs own (4, 0) and shared (0, 8) by 0.75 and 0.25, b and an unknown scene by a half each."""
    fusion = ProgressiveExtractionFusion(("a", "b"), 2, layers=1, dropout=0.0, scene_dropout=0.0)
    always(fusion.last.shared[0], 0.0, 8.0)
    for name, own in (("a", 4.0), ("b", 6.0), ("c", 2.0)):
        always(fusion.last.own[name][0], own, 0.0)
        fusion.last.gates[name].weight.data.zero_()
    fusion.last.gates["a"].weight.data[0] = tensor([math.log(3.0) / 2, -math.log(3.0) / 2])
    fused = fusion({name: one_position(300.0, 100.0) for name in "abc"}).features
    found = {name: (scene.values[0, 0] - tensor([300.0, 100.0])).tolist() for name, scene in fused.items()}
    assert found == {name: pytest.approx(values, abs=1e-4) for name, values in (
        ("a", [3.0, 2.0]), ("b", [3.0, 4.0]), ("c", [1.0, 4.0])
    )}  # fmt: skip


def level(own, shared, gate, stream, common):
    """h'_s of one scene."""
    outputs = [two_layers(stream, expert) for expert in own] + [two_layers(common, expert) for expert in shared]
    return softmax_sum(gate.weight @ stream, outputs)


def test_three_levels_equal_the_naive_loop_with_gradients(features, agree):
    """a and b of the run, c unknown; 2 experts a scene and 3 shared ones."""
    names = ["a", "b"]
    fusion = varied(ProgressiveExtractionFusion(names, 3, layers=3, own=2, shared=3, dropout=0.0)).eval()
    given = features("abc", 3)
    found = fusion(given).features

    def one(x, name):
        common = normed(x, fusion.norm)
        streams = dict.fromkeys([*names, name], common)
        for inner in fusion.inner:
            outputs = [two_layers(streams[other], expert) for other in names for expert in inner.own[other]]
            outputs += [two_layers(common, expert) for expert in inner.shared]
            scores = torch.cat([inner.rows[other].weight @ common for other in names])
            scores = torch.cat((scores, inner.shared_rows.weight @ common))
            streams = {
                other: level(inner.own[other], inner.shared, inner.gates[other], stream, common)
                for other, stream in streams.items()
            }
            common = softmax_sum(scores, outputs)
        last = fusion.last
        return x + level(last.own[name], last.shared, last.gates[name], streams[name], common)

    for name in "abc":
        expected = each_position(given[name].values, lambda x, name=name: one(x, name))
        agree(found[name].values, expected, [given[name].values, *fusion.parameters()])
