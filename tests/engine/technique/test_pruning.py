"""Pruning by hand, and against a plain sort over all weights."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from iamm.attention.multi_head import MultiHeadAttention
from iamm.engine.technique.pruning import HeadPruning, WeightPruning
from iamm.errors import ConfigError
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore


@pytest.fixture
def layers() -> nn.Sequential:
    """Weights 1, −6, 3, −4 and 5, −2, and biases below them all."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -6.0], [3.0, -4.0]]))
        model[1].weight.copy_(torch.tensor([[5.0, -2.0]]))
        for layer in model:
            layer.bias.fill_(0.5)
    return model


def weights(model: nn.Sequential) -> list[float]:
    return [value for layer in model for value in layer.weight.flatten().tolist()]


@pytest.mark.parametrize(
    ("progress", "left"),
    [
        (0.0, [1, -6, 3, -4, 5, -2]),
        (0.125, [0, -6, 3, -4, 5, -2]),  # 0.5 (1 − (5/6)³) = 0.2106 of 6: 1.26
        (0.25, [0, -6, 3, -4, 5, 0]),  # 0.5 (1 − (2/3)³) = 0.3519: 2.11
        (0.375, [0, -6, 0, -4, 5, 0]),  # 0.5 (1 − (1/2)³) = 0.4375: 2.63
        (0.75, [0, -6, 0, -4, 5, 0]),  # 0.5: 3
        (1.0, [0, -6, 0, -4, 5, 0]),
    ],
)
def test_the_smallest_weights_of_the_whole_model(progress, left, layers):
    pruning = WeightPruning(layers, 0.5)
    pruning.end_step(progress)
    assert weights(layers) == left
    assert pruning.sparsity == pytest.approx(left.count(0) / 6)
    assert [layer.bias.tolist() for layer in layers] == [[0.5, 0.5], [0.5]]


def test_a_pruned_weight_stays_pruned(layers):
    """Whatever an optimizer adds to it; and one that is 0 by itself is no pruned one."""
    pruning = WeightPruning(layers, 0.5)
    pruning.end_step(0.25)
    with torch.no_grad():
        layers[0].weight += 100.0
        layers[1].weight[0, 0] = 0.0
    pruning.end_step(0.25)
    assert weights(layers) == [0, 94, 103, 96, 0, 0]
    with torch.no_grad():
        layers[1].weight += 7.0
    pruning.end_step(0.25)
    assert weights(layers) == [0, 94, 103, 96, 7, 0]


def test_as_a_plain_sort():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.GRU(7, 5), nn.Embedding(11, 3))
    every = torch.cat([p.detach().abs().flatten() for p in model.parameters() if p.dim() > 1])
    WeightPruning(model, 0.7).end_step(1.0)
    left = torch.cat([p.detach().abs().flatten() for p in model.parameters() if p.dim() > 1])
    smallest = every.sort().values[round(0.7 * len(every))]
    assert torch.equal(left, torch.where(every < smallest, 0.0, every))


def test_the_state_is_what_is_kept(layers):
    pruning = WeightPruning(layers, 0.5)
    pruning.end_step(0.25)
    with torch.no_grad():
        layers[0].weight += 100.0
    again = WeightPruning(layers, 0.5)
    again.load_state_dict(pruning.state_dict())
    again.end_step(0.25)
    assert weights(layers) == [0, 94, 103, 96, 5, 0]


MultiHead = partial(
    MultiHeadAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser, heads=3
)


@pytest.fixture
def attentions() -> nn.ModuleList:
    """Two of three heads of width 2; each head's weights are one number, so its norm is that times √(4 · 2 · 6)."""
    model = nn.ModuleList([MultiHead(6), MultiHead(6), nn.Linear(6, 6)])
    with torch.no_grad():
        for part, numbers in zip(model, ((1.0, -2.0, 3.0), (0.1, 0.3, -0.2)), strict=False):
            for weights in part.head_weights():
                weights.copy_(torch.tensor(numbers).view(3, 1, 1).expand_as(weights))
    return model


def test_the_smallest_heads_of_the_whole_model(attentions):
    """Of 6 heads: 0.1, then −0.2, then 1, as 0.3 is the last of its attention; at most four."""
    pruning = HeadPruning(attentions, 0.5)
    pruning.end_step(0.125)  # 0.2106 of 6: 1.26
    assert [heads(part) for part in attentions[:2]] == [[1, -2, 3], [0, 0.3, -0.2]]
    pruning.end_step(0.75)
    assert [heads(part) for part in attentions[:2]] == [[0, -2, 3], [0, 0.3, 0]]
    assert pruning.sparsity == 0.5
    assert attentions[2].weight.ne(0).all()
    most = HeadPruning(attentions, 0.9)
    most.end_step(1.0)
    assert [heads(part) for part in attentions[:2]] == [[0, 0, 3], [0, 0.3, 0]]
    assert most.sparsity == pytest.approx(4 / 6)


def heads(attention: nn.Module) -> list[float]:
    """The number of each head, the same in all its weights."""
    views = [weights.flatten(1) for weights in attention.head_weights()]
    assert all(torch.equal(view, view[:, :1].expand_as(view)) for view in views)
    (numbers,) = {tuple(view[:, 0].tolist()) for view in views}
    return pytest.approx(list(numbers))


def test_a_pruned_head_adds_nothing(attentions):
    """The context is that of the other heads alone, computed from their slices."""
    torch.manual_seed(0)
    attention, query = MultiHead(6).double(), torch.randn(2, 5, 6, dtype=torch.float64)
    HeadPruning(attention, 0.3).end_step(1.0)
    (gone,) = [head for head in range(3) if not attention.w_v.weight[2 * head : 2 * head + 2].any()]
    context = attention(query).context
    alone = torch.zeros_like(context)
    for head in set(range(3)) - {gone}:
        rows = slice(2 * head, 2 * head + 2)
        q, k, v = (query @ layer.weight[rows].T for layer in (attention.w_q, attention.w_k, attention.w_v))
        alone += torch.softmax(q @ k.transpose(1, 2) / 2**0.5, dim=2) @ v @ attention.w_o.weight[:, rows].T
    torch.testing.assert_close(context, alone)


def test_heads_need_weights_of_their_own():
    with pytest.raises(ConfigError, match=r"^`prune_heads` needs an attention of several heads .* Found none: choose"):
        HeadPruning(nn.ModuleList([MultiHead(6, heads=1), nn.Linear(2, 2)]), 0.5)
