from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn, tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.transformer import TransformerEncoder
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

DotProductAttention = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)

IDS = tensor([[4, 5, 6, 4, 7], [8, 3, 0, 0, 0], [5, 0, 0, 0, 0]])
HERE = tensor([True, True, True])


def naive_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    spread = ((x - x.mean()) ** 2).mean()
    return (x - x.mean()) / torch.sqrt(spread + 1e-5) * norm.weight + norm.bias


def naive_attention(query: Tensor, places: list[Tensor]) -> Tensor:
    powers = [torch.exp(query @ place / math.sqrt(len(query))) for place in places]
    return sum(power / sum(powers) * place for power, place in zip(powers, places, strict=True))


def naive_encoder(encoder: TransformerEncoder, ids: list[int], length: int) -> Tensor:
    """One text, its real tokens only, then zeros."""
    dim = encoder.dim
    states = []
    for position, id in enumerate(ids):
        angles = [position / 10000 ** (2 * (i // 2) / dim) for i in range(dim)]
        where = tensor([math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(angles)], dtype=torch.float64)
        states.append(encoder.embedding.weight[id] * math.sqrt(dim) + where)
    for layer in encoder.layers:
        first, _, _, second = layer.feed_forward
        normed = [naive_norm(x, layer.norms[0]) for x in states]
        states = [x + naive_attention(n, normed) for x, n in zip(states, normed, strict=True)]
        hidden = [(first.weight @ naive_norm(x, layer.norms[1]) + first.bias).clamp(min=0) for x in states]
        states = [x + second.weight @ h + second.bias for x, h in zip(states, hidden, strict=True)]
    states = [naive_norm(x, encoder.norm) for x in states]
    return torch.stack(states + [torch.zeros_like(states[0])] * (length - len(ids)))


def test_by_hand(text_scene):
    """One layer, D = 2: a norm over two numbers gives ±1, whichever is larger.

    embedding · √2 + position: (2 + 0, 0 + 1) and (0 + sin 1, 3 + cos 1), whose norms are (1, −1) and (−1, 1). The first
    attends by scores 2 and −2, weights 0.98201 and 0.01799: context (0.96403, −0.96403); the second is its mirror. The
    feed-forward adds (0, 8), after which both norms are (−1, 1).
    """
    encoder = TransformerEncoder(
        text_scene(2), 2, attention=DotProductAttention, layers=1, feed_forward=1, dropout=0.0
    ).double()
    encoder.embedding.weight.data[4:] = tensor([[2.0, 0.0], [0.0, 3.0]]) / math.sqrt(2)
    first, _, _, second = encoder.layers[0].feed_forward
    first.weight.data.zero_(), second.weight.data.zero_()
    first.bias.data.zero_()
    second.bias.data = tensor([0.0, 8.0], dtype=torch.float64)
    layer_output = []
    encoder.norm.register_forward_pre_hook(lambda module, inputs: layer_output.append(inputs[0]))
    values, _ = encoder({"text": tensor([[4, 5]])}, tensor([True]))
    share = 0.9640275801
    expected = [[2 + share, 1 - share + 8], [math.sin(1) - share, 3 + math.cos(1) + share + 8]]
    places = {"atol": 1e-4, "rtol": 0.0}  # the ε of the norm
    torch.testing.assert_close(layer_output[0], tensor([expected], dtype=torch.float64), **places)
    torch.testing.assert_close(values, tensor([[[-1.0, 1.0], [-1.0, 1.0]]], dtype=torch.float64), **places)


def test_equals_the_naive_loop_with_gradients(text_scene, agree):
    torch.manual_seed(0)
    encoder = TransformerEncoder(text_scene(5), 6, attention=ScaledDotProductAttention, layers=2, dropout=0.0).double()
    for norm in [module for module in encoder.modules() if isinstance(module, nn.LayerNorm)]:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    found = encoder({"text": IDS}, HERE).values
    expected = torch.stack([naive_encoder(encoder, [i for i in row if i], 5) for row in IDS.tolist()])
    assert found.shape == (3, 5, 6)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)  # positions are float32
    probe = torch.linspace(-1, 1, found.numel(), dtype=torch.float64).view_as(found)
    gradients = [torch.autograd.grad((x * probe).sum(), list(encoder.parameters())) for x in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


def test_each_layers_weights_by_the_naive_loop(text_scene):
    """w_qk = softmax_k(n_q · n_k / √D) over a text's own tokens, n the normed states that the layer reads."""
    torch.manual_seed(0)
    encoder = TransformerEncoder(text_scene(5), 6, attention=ScaledDotProductAttention, layers=2, dropout=0.0).double()
    read = []
    for layer in encoder.layers:
        layer.norms[0].register_forward_hook(lambda module, inputs, output: read.append(output))
    with torch.no_grad():
        seen = encoder.attention_map({"text": IDS}, HERE)
    assert [weights.shape for weights in seen] == [(3, 1, 5, 5)] * 2
    for weights, states in zip(seen, read, strict=True):
        for row, length in enumerate((5, 2, 1)):
            for q in range(length):
                powers = [math.exp(float(states[row, q] @ states[row, k]) / math.sqrt(6)) for k in range(length)]
                expected = tensor([power / sum(powers) for power in powers] + [0.0] * (5 - length), dtype=torch.float64)
                torch.testing.assert_close(weights[row, 0, q], expected)


def test_order_matters(text_scene):
    """Without positions attention would not tell one order from another."""
    encoder = TransformerEncoder(text_scene(5), 6, attention=ScaledDotProductAttention, dropout=0.0)
    one, other = encoder({"text": tensor([[4, 5, 6], [6, 5, 4]])}, tensor([True, True])).values
    assert (one.flip(0) - other).abs().max() > 1e-2


def test_refuses_an_odd_width(text_scene):
    with pytest.raises(ValueError, match=r"`dim` must be an even whole number at least 2.* Found 7\."):
        TransformerEncoder(text_scene(5), 7, attention=ScaledDotProductAttention)
