from __future__ import annotations

import math

import torch
from torch import tensor

from iamm.fusion.mixture_of_experts import MixtureOfExpertsFusion
from tests.fusion.naive import always, each_position, normed, one_position, softmax_sum, two_layers, varied


def test_by_hand():
    """u = (1, −1); a's gate scores ln 3 and 0, so 0.75 and 0.25; b's scores 0 and 0, so a half each."""
    fusion = MixtureOfExpertsFusion(("a", "b"), 2, experts=2, dropout=0.0, scene_dropout=0.0)
    always(fusion.experts[0], 8.0, 0.0)
    always(fusion.experts[1], 0.0, 8.0)
    fusion.gates["a"].weight.data = tensor([[math.log(3.0) / 2, -math.log(3.0) / 2], [0.0, 0.0]])
    fusion.gates["b"].weight.data.zero_()
    fused = fusion({"a": one_position(300.0, 100.0), "b": one_position(300.0, 100.0)}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([306.0, 102.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([304.0, 104.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    fusion = varied(MixtureOfExpertsFusion(("a", "b"), 5, experts=3, feed_forward=2, dropout=0.0)).eval()
    given = features("abc", 5)
    found = fusion(given).features
    for name, gate in (("a", fusion.gates.own["a"]), ("b", fusion.gates.own["b"]), ("c", fusion.gates.unknown)):

        def one(x, gate=gate):
            u = normed(x, fusion.norm)
            return x + softmax_sum(gate.weight @ u, [two_layers(u, expert) for expert in fusion.experts])

        leaves = [given[name].values, *fusion.parameters()]
        agree(found[name].values, each_position(given[name].values, one), leaves)
