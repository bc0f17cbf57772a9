from __future__ import annotations

import math
from functools import partial

import torch
from torch import nn, tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.fusion.cross_scene_attention import CrossSceneAttentionFusion, SceneMemory
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore
from tests.fusion.naive import normed, softmax_sum, varied

DotProductAttention = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)


def test_by_hand():
    """norms of both views (1, −1), score 2; two empty slots score 0: weight e² / (e² + 2) = 0.78699, W = 10 · I."""
    fusion = CrossSceneAttentionFusion(["a", "b"], 2, attention=DotProductAttention, slots=1, dropout=0.0).double()
    for slots in fusion.memory.slots.values():
        nn.init.zeros_(slots)
    fusion.output.weight.data = 10 * torch.eye(2, dtype=torch.float64)
    place = tensor([[True]])
    given = {
        "a": Features(tensor([[[300.0, 100.0]]], dtype=torch.float64), place),
        "b": Features(tensor([[[7e3, -5e3]]], dtype=torch.float64), place),
    }
    share = 10 * math.exp(2) / (math.exp(2) + 2)
    assert abs(share - 7.8699) < 1e-4
    fused = fusion(given).features["a"]
    torch.testing.assert_close(fused.values, tensor([[[300 + share, 100 - share]]], dtype=torch.float64))


def test_equals_the_naive_loop_with_gradients(features, agree):
    names = ["a", "b", "c"]
    fusion = varied(CrossSceneAttentionFusion(names, 5, attention=ScaledDotProductAttention, slots=2, dropout=0.0))
    given = features("ab", 5)
    found = fusion(given).features
    for name, other in (("a", "b"), ("b", "a")):
        rows = []
        for b in range(4):
            seen = [fusion.memory.slots[scene][m] for scene in names for m in range(2)]
            view = given[other]
            seen += [normed(view.values[b, t], fusion.norm) for t in range(view.values.shape[1]) if view.allow[b, t]]
            for x in given[name].values[b]:
                scores = [normed(x, fusion.norm) @ key / math.sqrt(5) for key in seen]
                rows.append(x + fusion.output.weight @ softmax_sum(scores, seen))
        expected = torch.stack(rows).view_as(given[name].values)
        leaves = [scene.values for scene in given.values()] + list(fusion.parameters())
        agree(found[name].values, expected, leaves)


def test_a_memory_begins_with_the_same_numbers_as_one_draw():
    torch.manual_seed(5)
    memory = SceneMemory(("a", "b"), 3, 5)
    torch.manual_seed(5)
    torch.testing.assert_close(memory.all_slots(), torch.randn(2, 3, 5) / math.sqrt(5), rtol=0, atol=0)
    assert memory.slots["b"].grad_fn is None
    assert memory.slots["b"].is_leaf
