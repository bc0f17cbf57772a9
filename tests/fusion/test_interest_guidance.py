from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn, tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.fusion.interest_guidance import InterestGuidanceFusion, group_mean
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

DotProductAttention = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)

Q = tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
X = tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], dtype=torch.float64)


@pytest.fixture
def document():
    """A fusion whose x are the features themselves (no memory, one place each), whose q is Q, and with W = I."""
    fusion = InterestGuidanceFusion(["one", "two"], 4, attention=DotProductAttention, slots=1, dropout=0.0).double()
    for slots in fusion.memory.slots.values():
        nn.init.zeros_(slots)
    nn.init.zeros_(fusion.recognise[2].weight)
    fusion.recognise[2].bias.data = Q.clone()
    nn.init.eye_(fusion.output.weight)
    return fusion


def views(*present: bool) -> dict[str, Features]:
    return {
        name: Features(X[row].view(1, 1, 4).clone(), tensor([[present[row]]]))
        for row, name in enumerate(("one", "two"))
    }


def test_the_documents_worked_example_with_its_right_values(document):
    """D0 §4.6: qᵀx₁ = 3, qᵀx₂ = 7; w = 1 / (1 + e⁴), 1 / (1 + e⁻⁴). The document's 0.6 and 0.4 are wrong."""
    fused, weights, _ = document(views(True, True))
    for name, x in zip(("one", "two"), X, strict=True):
        w = weights[name][0]
        torch.testing.assert_close(w, tensor([1 / (1 + math.exp(4)), 1 / (1 + math.exp(-4))], dtype=torch.float64))
        assert [round(value, 3) for value in w.tolist()] == [0.018, 0.982]
        h = fused[name].values[0, 0] - x
        assert [round(value, 3) for value in h.tolist()] == [4.928, 5.928, 6.928, 7.928]


def test_an_absent_view_leaves_all_to_the_other(document):
    fused, weights, _ = document(views(True, False))
    torch.testing.assert_close(weights["one"], tensor([[1.0, 0.0]], dtype=torch.float64), rtol=0, atol=0)
    torch.testing.assert_close(fused["one"].values[0, 0], 2 * X[0])
    _, weights, _ = document(views(False, False))
    assert (weights["one"] == 0).all()


def test_what_is_drawn_are_the_weights_head_by_head(features):
    """Four heads: each sums to one, they differ, and their mean is what is logged; one head is the document's own."""
    torch.manual_seed(0)
    heads = partial(
        MultiHeadAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser, heads=4
    )
    fusion = InterestGuidanceFusion(["a", "b", "c"], 8, attention=heads, slots=2, dropout=0.0).double()
    given = features("ab", 8)
    seen, logged = fusion.attention_map(given), fusion(given).scene_weights
    assert list(seen) == ["a", "b"]
    for name, weights in seen.items():
        assert weights.shape == (4, 4, 3)
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(4, 4, dtype=torch.float64))
        torch.testing.assert_close(weights.mean(dim=1), logged[name])
        assert (weights[0, 0] - weights[0, 1]).abs().max() > 1e-3


def test_what_is_drawn_of_the_documents_example(document):
    seen = document.attention_map(views(True, True))
    expected = tensor([[[1 / (1 + math.exp(4)), 1 / (1 + math.exp(-4))]]], dtype=torch.float64)
    torch.testing.assert_close(seen, {"one": expected, "two": expected})


def test_the_scale_divides_by_the_root_of_the_width():
    """3 / 2 and 7 / 2 instead of 3 and 7: w₁ = 1 / (1 + e²) = 0.1192."""
    fusion = InterestGuidanceFusion(["one", "two"], 4, attention=ScaledDotProductAttention, slots=1).double()
    for slots in fusion.memory.slots.values():
        nn.init.zeros_(slots)
    nn.init.zeros_(fusion.recognise[2].weight)
    fusion.recognise[2].bias.data = Q.clone()
    weight = fusion(views(True, True)).scene_weights["one"][0, 0]
    torch.testing.assert_close(weight, tensor(0.1192029, dtype=torch.float64))


def test_the_gradient_of_q_by_the_softmaxs_derivative(document):
    """∂L/∂q = Σ w_i (x_i − h) (∂L/∂h · x_i); q_s = … + e_s, so that it is the gradient of e_s (D0 §4.5, put right)."""
    upstream = tensor([0.7, -1.1, 0.4, 2.3], dtype=torch.float64)  # ∂L/∂h
    fused, weights, _ = document(views(True, True))
    (fused["one"].values[0, 0] @ upstream).backward()
    w = weights["one"][0].detach()
    h = w @ X
    expected = sum(w[i] * (X[i] - h) * (upstream @ X[i]) for i in range(2))
    torch.testing.assert_close(document.asking["one"].grad, expected)
    assert expected.abs().max() > 0.1
    assert (document.asking["two"].grad == 0).all()


def softmax(scores: list[Tensor]) -> list[Tensor]:
    powers = [torch.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def naive(fusion: InterestGuidanceFusion, given: dict[str, Features], b: int, pooled: bool):
    """The docstring, one instance at a time: added vectors and weights of each scene of the group."""
    dim, zero = fusion.dim, torch.zeros(fusion.dim, dtype=torch.float64)
    own = {}
    for name, (values, allow) in given.items():
        places = [values[b, t] for t in range(values.shape[1]) if allow[b, t]]
        if not places:
            continue
        query = fusion.pools[name].query[0, 0] if pooled else zero
        share = softmax([query @ x / math.sqrt(dim) for x in places])
        own[name] = sum(w * x for w, x in zip(share, places, strict=True))
    reader = sum(own.values(), start=zero) / max(len(own), 1)
    x = {}
    for name in fusion.scenes:
        if name in given and name not in own:
            continue
        slots = fusion.memory.slots[name]
        share = softmax([reader @ slot / math.sqrt(dim) for slot in slots])
        x[name] = own.get(name, zero) + sum(w * slot for w, slot in zip(share, slots, strict=True))
    first, _, second = fusion.recognise
    seen = [x[name] for name in given if name in x]
    mean = sum(seen, start=zero) / max(len(seen), 1)
    interest = second.weight @ (first.weight @ mean + first.bias).clamp(min=0) + second.bias
    added, weights = [], []
    for name in given:
        q = interest + fusion.asking[name]
        share = dict(zip(x, softmax([q @ x[other] / math.sqrt(dim) for other in x]), strict=True))
        added.append(fusion.output.weight @ sum((share[other] * x[other] for other in x), start=zero))
        nothing = torch.zeros((), dtype=torch.float64)
        weights.append(torch.stack([share.get(other, nothing) for other in fusion.scenes]))
    return added, weights


@pytest.mark.parametrize("group", ["ab", "ba", "c", "abc"])
@pytest.mark.parametrize("pooled", [True, False], ids=["attention", "mean"])
def test_equals_the_naive_loop_with_gradients(features, agree, group, pooled):
    torch.manual_seed(0)
    pool = ScaledDotProductAttention if pooled else None
    fusion = InterestGuidanceFusion(
        ["a", "b", "c"], 5, attention=ScaledDotProductAttention, pool=pool, slots=2, dropout=0.0
    ).double()
    for interest in fusion.asking.values():
        nn.init.normal_(interest)
    given = features(group, 5)
    fused, weights, _ = fusion(given)
    expected = [naive(fusion, given, b, pooled) for b in range(4)]
    leaves = [scene.values for scene in given.values()] + list(fusion.parameters())
    for place, (name, scene) in enumerate(given.items()):
        values = torch.stack([scene.values[b] + added[place] for b, (added, _) in enumerate(expected)])
        agree(fused[name].values, values, leaves)
        agree(weights[name], torch.stack([shares[place] for _, shares in expected]), leaves)


def test_mean_of_present_views_by_hand():
    pooled = {"a": tensor([[2.0], [4.0], [90.0]]), "b": tensor([[6.0], [80.0], [70.0]])}
    present = {"a": tensor([True, True, False]), "b": tensor([True, False, False])}
    torch.testing.assert_close(group_mean(pooled, present), tensor([[4.0], [4.0], [0.0]]))
