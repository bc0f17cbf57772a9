from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn, tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.head.recurrent_generator import RecurrentGeneratorHead
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore

ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)

TOKENS = tensor([[1, 4, 5, 6, 9], [1, 7, 8, 2, 3]])
ALLOW = tensor([[True, True, True], [True, False, True]])
KINDS = pytest.mark.parametrize("attention", [None, ScaledDotProductAttention], ids=["without", "attention"])


@pytest.fixture
def features() -> Features:
    generator = torch.Generator().manual_seed(1)
    return Features(torch.randn(2, 3, 6, generator=generator, dtype=torch.float64).requires_grad_(), ALLOW)


def made(scene, attention, **knobs) -> RecurrentGeneratorHead:
    torch.manual_seed(0)
    return RecurrentGeneratorHead(scene("generation"), 6, attention=attention, dropout=0.0, **knobs).double()


def naive_step(gru: nn.GRU, layer: int, x: Tensor, hidden: Tensor) -> Tensor:
    w_i, w_h, b_i, b_h = (getattr(gru, f"{part}_l{layer}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    from_x, from_h = (w_i @ x + b_i).chunk(3), (w_h @ hidden + b_h).chunk(3)
    reset, update = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
    return (1 - update) * torch.tanh(from_x[2] + reset * from_h[2]) + update * hidden


def naive_decoder(head: RecurrentGeneratorHead, source: list[Tensor], tokens: list[int]) -> Tensor:
    summary = torch.tanh(head.summarise.weight @ (sum(source) / len(source)) + head.summarise.bias)
    hidden, outputs = [summary] * head.recurrence.num_layers, []
    for token in tokens:
        x = head.embedding.weight[token]
        for layer in range(len(hidden)):
            x = naive_step(head.recurrence, layer, x, hidden[layer])
            hidden = [*hidden[:layer], x, *hidden[layer + 1 :]]
        context = summary
        if head.attention is not None:
            powers = [torch.exp(x @ place / math.sqrt(head.dim)) for place in source]
            context = sum(power / sum(powers) * place for power, place in zip(powers, source, strict=True))
        outputs.append(torch.tanh(head.combine.weight @ torch.cat((x, context)) + head.combine.bias))
    return torch.stack(outputs)


def test_by_hand(scene):
    """D = 1: summary tanh(2 · ½) = tanh 1 from places 0 and 1; gates ½, n = tanh 3; W = (1, 1).

    s = ½ tanh 3 + ½ tanh 1 = 0.87832, output tanh(s + tanh 1) = tanh 1.63992 = 0.92746.
    """
    head = RecurrentGeneratorHead(scene("generation"), 1, dropout=0.0).double()
    for name, parameter in head.named_parameters():
        if name != "embedding.weight":
            nn.init.zeros_(parameter)
    head.summarise.weight.data[:] = 2.0
    head.recurrence.bias_ih_l0.data[2] = 3.0
    head.combine.weight.data[:] = 1.0
    source = Features(tensor([[[0.0], [1.0], [9.0]]], dtype=torch.float64), tensor([[True, True, False]]))
    found, weights = head.attended(source, tensor([[1]]), need_weights=True)
    torch.testing.assert_close(found.item(), 0.92746119, atol=1e-6, rtol=0)
    assert weights is None


@KINDS
@pytest.mark.parametrize("layers", [1, 2])
def test_equals_the_naive_loop_with_gradients(scene, features, agree, attention, layers):
    head = made(scene, attention, layers=layers)
    found, _ = head.attended(features, TOKENS, need_weights=False)
    expected = [
        naive_decoder(head, [features.values[b, t] for t in range(3) if ALLOW[b, t]], TOKENS[b].tolist())
        for b in range(2)
    ]
    agree(found, torch.stack(expected), [features.values, *head.parameters()])


def test_both_kinds_have_the_same_layers(scene):
    """Attention by a product has no parameters, so that the gain is the attention's."""
    sizes = [sum(p.numel() for p in made(scene, kind).parameters()) for kind in (None, ScaledDotProductAttention)]
    assert sizes[0] == sizes[1]


def test_looks_at_the_source_where_it_attends(scene, features):
    head = made(scene, ScaledDotProductAttention, max_length=4).eval()
    attention_map, written = head.attention_map(features), head.write(features)
    longest = max(map(len, written)) + 1
    assert attention_map.weights.shape == (2, 1, longest, 3)
    assert (attention_map.weights[1, :, :, 1] == 0).all()
    torch.testing.assert_close(attention_map.weights.sum(dim=-1), torch.ones(2, 1, longest, dtype=torch.float64))
    assert made(scene, None).eval().attention_map(features) is None
