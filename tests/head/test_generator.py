from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor, nn, tensor

from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.head.generator import GeneratorHead
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

DotProductAttention = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
ScaledDotProductAttention = partial(
    SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser
)

TOKENS = tensor([[1, 4, 5, 6, 9], [1, 7, 8, 2, 3]])
ALLOW = tensor([[True, True, True], [True, False, True]])


@pytest.fixture
def features() -> Features:
    generator = torch.Generator().manual_seed(1)
    return Features(torch.randn(2, 3, 6, generator=generator, dtype=torch.float64).requires_grad_(), ALLOW)


@pytest.fixture
def head(scene) -> GeneratorHead:
    torch.manual_seed(0)
    made = GeneratorHead(scene("generation"), 6, attention=ScaledDotProductAttention, dropout=0.0).double()
    for norm in [module for module in made.modules() if isinstance(module, nn.LayerNorm)]:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    return made


def naive_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    spread = torch.sqrt(((x - x.mean()) ** 2).mean() + 1e-5)
    return (x - x.mean()) / spread * norm.weight + norm.bias


def naive_attention(query: Tensor, places: list[Tensor]) -> Tensor:
    powers = [torch.exp(query @ place / math.sqrt(len(query))) for place in places]
    return sum(power / sum(powers) * place for power, place in zip(powers, places, strict=True))


def naive_decoder(head: GeneratorHead, source: list[Tensor], tokens: list[int]) -> Tensor:
    """One text, one position after the other, each seeing itself and what lies before."""
    states = []
    for position, token in enumerate(tokens):
        angles = [position / 10000 ** (2 * (i // 2) / head.dim) for i in range(head.dim)]
        where = tensor([math.cos(a) if i % 2 else math.sin(a) for i, a in enumerate(angles)], dtype=torch.float64)
        states.append(head.embedding.weight[token] * math.sqrt(head.dim) + where)
    for layer in head.layers:
        first, _, _, second = layer.feed_forward
        before = [naive_norm(x, layer.norms[0]) for x in states]
        states = [x + naive_attention(before[t], before[: t + 1]) for t, x in enumerate(states)]
        states = [x + naive_attention(naive_norm(x, layer.norms[1]), source) for x in states]
        hidden = [(first.weight @ naive_norm(x, layer.norms[2]) + first.bias).clamp(min=0) for x in states]
        states = [x + second.weight @ h + second.bias for x, h in zip(states, hidden, strict=True)]
    return torch.stack([naive_norm(x, head.norm) for x in states])


def test_by_hand(scene):
    """BOS alone, D = 2, one layer whose feed-forward is empty: a norm over two numbers gives ±1.

    embedding · √2 + position = (3, 0) + (0, 1) = (3, 1); its own attention adds its norm (1, −1): (4, 0), norm (1, −1)
    again. The source has places (ln 3, 0) and (0, 0), scores ln 3 and 0, weights ¾ and ¼: context (¾ ln 3, 0).
    """
    head = GeneratorHead(
        scene("generation"), 2, attention=DotProductAttention, layers=1, feed_forward=1, dropout=0.0
    ).double()
    head.embedding.weight.data[1] = tensor([3.0, 0.0]) / math.sqrt(2)
    for parameter in head.layers[0].feed_forward.parameters():
        nn.init.zeros_(parameter)
    source = Features(tensor([[[math.log(3), 0.0], [0.0, 0.0]]], dtype=torch.float64), tensor([[True, True]]))
    states, weights = [], None
    head.norm.register_forward_pre_hook(lambda module, inputs: states.append(inputs[0]))
    _, weights = head.attended(source, tensor([[1]]), need_weights=True)
    near = {"atol": 1e-4, "rtol": 0.0}  # the ε of the norm
    torch.testing.assert_close(weights, tensor([[[[0.75, 0.25]]]], dtype=torch.float64), **near)
    expected = tensor([[[4 + 0.75 * math.log(3), 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(states[0], expected, **near)


def test_equals_the_naive_loop_with_gradients(head, features, agree):
    found, _ = head.attended(features, TOKENS, need_weights=False)
    expected = [
        naive_decoder(head, [features.values[b, t] for t in range(3) if ALLOW[b, t]], TOKENS[b].tolist())
        for b in range(2)
    ]
    agree(found, torch.stack(expected), [features.values, *head.parameters()])


def test_logits_are_products_with_the_embedding(head):
    states = torch.randn(2, 3, 6, dtype=torch.float64)
    torch.testing.assert_close(head.logits(states)[1, 2, 7], states[1, 2] @ head.embedding.weight[7])


def test_looks_at_the_source_token_by_token(head, features):
    attention_map = head.eval().attention_map(features)
    written = head.write(features)
    longest = max(map(len, written)) + 1
    assert attention_map.weights.shape == (2, 1, longest, 3)
    assert (attention_map.weights[1, :, :, 1] == 0).all()
    torch.testing.assert_close(attention_map.weights.sum(dim=-1), torch.ones(2, 1, longest, dtype=torch.float64))
    pieces = head.vocabulary.pieces
    assert attention_map.queries == [[pieces[token] for token in (*ids, 2)] for ids in written]


def test_refuses_an_odd_width(scene):
    with pytest.raises(ValueError, match=r"`dim` must be an even whole number at least 2.* Found 7\."):
        GeneratorHead(scene("generation"), 7, attention=ScaledDotProductAttention)
