from __future__ import annotations

import math
from functools import partial

import torch
from torch import tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.fusion.global_local import GlobalLocalFusion
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.window import WindowPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore
from tests.fusion.naive import each_position, mean_of_real, normed, softmax_sum, varied

Near = partial(
    SingleAttention,
    score=ScaledDotProductScore,
    pattern=partial(WindowPattern, radius=1),
    normaliser=SoftmaxNormaliser,
)


def test_by_hand():
    """norms (1, −1) and (−1, 1), whose mean g is 0; in row 1 b is absent, so g = (1, −1). Local is the norm itself."""
    fusion = GlobalLocalFusion(("a", "b"), 2, local=Near, dropout=0.0)
    fusion.output.weight.data = tensor([[10.0, 0.0, 100.0, 0.0], [0.0, 10.0, 0.0, 100.0]])
    given = {
        "a": Features(tensor([[[300.0, 100.0]]] * 2), tensor([[True], [True]])),
        "b": Features(tensor([[[-5e3, 7e3]]] * 2), tensor([[True], [False]])),
    }
    fused = fusion(given).features
    torch.testing.assert_close(fused["a"].values[:, 0], tensor([[400.0, 0.0], [410.0, -10.0]]), atol=1e-3, rtol=0)
    torch.testing.assert_close(fused["b"].values[0, 0], tensor([-5100.0, 7100.0]))


def test_equals_the_naive_loop_with_gradients(features, agree):
    fusion = varied(GlobalLocalFusion(("a", "b"), 5, local=Near, dropout=0.0))
    given = features("ab", 5)
    found = fusion(given).features
    norms = {name: each_position(scene.values, lambda x: normed(x, fusion.norm)) for name, scene in given.items()}
    for name, scene in given.items():
        rows = []
        for b in range(4):
            there = [other for other in given if given[other].allow[b].any()]
            whole = [mean_of_real(norms[other][b], given[other].allow[b]) for other in there]
            whole = sum(whole) / len(whole) if whole else torch.zeros(5, dtype=torch.float64)
            u = norms[name][b]
            for t, x in enumerate(scene.values[b]):
                near = [k for k in range(len(u)) if abs(k - t) <= 1 and scene.allow[b, k]]
                scores = [u[t] @ u[k] / math.sqrt(5) for k in near]
                local = softmax_sum(scores, [u[k] for k in near]) if near else torch.zeros(5, dtype=torch.float64)
                rows.append(x + fusion.output.weight @ torch.cat((whole, local)))
        expected = torch.stack(rows).view_as(scene.values)
        agree(found[name].values, expected, [*(each.values for each in given.values()), *fusion.parameters()])
