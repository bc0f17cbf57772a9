from __future__ import annotations

import torch
from torch import tensor

from iamm.fusion.feature_augmentation import FeatureAugmentationFusion
from tests.fusion.naive import always, each_position, normed, one_position, two_layers, varied


def test_by_hand():
    """The shared copy adds (1, 1), a's own (10, 0), b's own (0, 10), an unknown scene has none."""
    fusion = FeatureAugmentationFusion(("a", "b"), 2, dropout=0.0, scene_dropout=0.0)
    always(fusion.shared, 1.0, 1.0)
    always(fusion.own["a"], 10.0, 0.0)
    always(fusion.own["b"], 0.0, 10.0)
    fused = fusion({name: one_position(300.0, 100.0) for name in "abc"}).features
    torch.testing.assert_close(fused["a"].values[0, 0], tensor([311.0, 101.0]))
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([301.0, 111.0]))
    torch.testing.assert_close(fused["c"].values[0, 0], tensor([301.0, 101.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    fusion = varied(FeatureAugmentationFusion(("a", "b"), 5, feed_forward=2, dropout=0.0)).eval()
    given = features("abc", 5)
    found = fusion(given).features

    def one(x, copies):
        u = normed(x, fusion.norm)
        return x + sum(two_layers(u, copy) for copy in copies)

    for name, own in (("a", [fusion.own["a"]]), ("b", [fusion.own["b"]]), ("c", [])):
        expected = each_position(given[name].values, lambda x, own=own: one(x, [fusion.shared, *own]))
        agree(found[name].values, expected, [given[name].values, *fusion.parameters()])
