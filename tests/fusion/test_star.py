from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.fusion.shared import SharedFusion
from iamm.fusion.star import StarFusion
from tests.fusion.naive import each_position, one_position, varied


def test_by_hand():
    """norm x = (1, −1). a: W_0 = I times (2, 3), b = (0, 5) + (1, 1): hidden (3, 3). b: factors 1, so (1, 4)."""
    fusion = StarFusion(("a", "b"), 2, feed_forward=1, dropout=0.0, scene_dropout=0.0)
    for layer in (fusion.into, fusion.out):
        nn.init.eye_(layer.shared.weight)
        nn.init.zeros_(layer.shared.bias)
    fusion.into.shared.bias.data = tensor([0.0, 5.0])
    own = fusion.into.factors["a"]
    own.weight.data = tensor([[2.0, 9.0], [9.0, 3.0]])
    own.bias.data = tensor([1.0, 1.0])
    fused = fusion({name: one_position(300.0, 100.0) for name in "ab"}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([303.0, 103.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([301.0, 104.0]))


def test_it_begins_as_the_shared_network(features):
    """For scenes of the run and for an unknown one."""
    shared = SharedFusion(("a", "b"), 5, dropout=0.0).double()
    fusion = StarFusion(("a", "b"), 5, dropout=0.0, scene_dropout=0.0).double()
    norm, (into, _, _, out) = shared.blocks[0]
    for one, other in ((fusion.norm, norm), (fusion.into, into), (fusion.out, out)):
        one.shared.load_state_dict(other.state_dict())
    given = features("abc", 5)
    expected = shared(given).features
    for name, scene in fusion(given).features.items():
        torch.testing.assert_close(scene.values, expected[name].values)


def test_equals_the_naive_loop_with_gradients(features, agree):
    fusion = varied(StarFusion(("a", "b"), 5, dropout=0.0)).eval()
    given = features("abc", 5)
    found = fusion(given).features

    def product(layer, name, x):
        own = layer.factors.own[name] if name != "c" else layer.factors.unknown
        return (layer.shared.weight * own.weight) @ x + layer.shared.bias + own.bias

    def one(x, name):
        own = fusion.norm.factors.own[name] if name != "c" else fusion.norm.factors.unknown
        u = (x - x.mean()) / torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
        u = u * fusion.norm.shared.weight * own.weight + fusion.norm.shared.bias + own.bias
        return x + product(fusion.out, name, torch.clamp(product(fusion.into, name, u), min=0.0))

    for name in "abc":
        expected = each_position(given[name].values, lambda x, name=name: one(x, name))
        agree(found[name].values, expected, [given[name].values, *fusion.parameters()])
