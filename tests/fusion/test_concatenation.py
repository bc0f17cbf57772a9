from __future__ import annotations

import torch
from torch import tensor

from iamm.encoder.base import Features
from iamm.fusion.concatenation import ConcatenationFusion
from tests.fusion.naive import mean_of_real

NAMES = ("a", "b", "c")


def test_by_hand():
    """D = 1, means a: (1 + 5) / 2 = 3, b: 10; W = (2, 0.1, ·): each place gains 2 · 3 + 0.1 · 10 = 7."""
    fusion = ConcatenationFusion(NAMES, 1, dropout=0.0, scene_dropout=0.0)
    for name, factor in (("a", 2.0), ("b", 0.1)):
        fusion.columns[name].weight.data.fill_(factor)
    given = {
        "a": Features(tensor([[[1.0], [5.0], [99.0]]]), tensor([[True, True, False]])),
        "b": Features(tensor([[[10.0]]]), tensor([[True]])),
    }
    fused = fusion(given).features
    torch.testing.assert_close(fused["a"].values[0, :2, 0], tensor([8.0, 12.0]))
    torch.testing.assert_close(fused["b"].values, tensor([[[17.0]]]))


def test_equals_one_matrix_over_the_views_side_by_side(features, agree):
    """W of all three scenes at once; an absent view and a scene of another group are zero."""
    torch.manual_seed(0)
    fusion = ConcatenationFusion(NAMES, 5, dropout=0.0, scene_dropout=0.0).double()
    given = features("ab", 5)
    whole = torch.cat([fusion.columns[name].weight for name in NAMES], dim=1)  # (D, 3·D)
    found = fusion(given).features
    leaves = [*(scene.values for scene in given.values()), *(fusion.columns[name].weight for name in NAMES)]
    for name in "ab":
        rows = []
        for b in range(4):
            pooled = [mean_of_real(values[b], allow[b]) for values, allow in given.values()]
            nothing = torch.zeros(5, dtype=torch.float64)  # of c
            rows.append(given[name].values[b] + whole @ torch.cat([*pooled, nothing]))
        agree(found[name].values, torch.stack(rows), leaves)
