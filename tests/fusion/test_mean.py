from __future__ import annotations

import torch
from torch import tensor

from iamm.encoder.base import Features
from iamm.fusion.mean import MeanFusion
from tests.fusion.naive import mean_of_real


def test_by_hand():
    """D = 1, W = 2. Row 0: means 3 and 10, so 13 more; row 1: only b, 4, so 8 more; row 2: no view, nothing more."""
    fusion = MeanFusion(("a", "b"), 1, dropout=0.0, scene_dropout=0.0)
    fusion.output.weight.data.fill_(2.0)
    given = {
        "a": Features(
            tensor([[[1.0], [5.0]], [[7.0], [7.0]], [[7.0], [7.0]]]), tensor([[True] * 2, [False] * 2, [False] * 2])
        ),
        "b": Features(tensor([[[10.0]], [[4.0]], [[6.0]]]), tensor([[True], [True], [False]])),
    }
    fused = fusion(given).features
    torch.testing.assert_close(fused["a"].values[0, :, 0], tensor([14.0, 18.0]))
    torch.testing.assert_close(fused["b"].values[:, 0, 0], tensor([23.0, 12.0, 6.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    torch.manual_seed(0)
    fusion = MeanFusion(("a", "b", "c"), 5, dropout=0.0, scene_dropout=0.0).double()
    given = features("ab", 5)
    found = fusion(given).features
    leaves = [*(scene.values for scene in given.values()), fusion.output.weight]
    for name in "ab":
        rows = []
        for b in range(4):
            pooled = [mean_of_real(values[b], allow[b]) for values, allow in given.values() if allow[b].any()]
            mean = sum(pooled) / len(pooled) if pooled else torch.zeros(5, dtype=torch.float64)
            rows.append(given[name].values[b] + fusion.output.weight @ mean)
        agree(found[name].values, torch.stack(rows), leaves)
