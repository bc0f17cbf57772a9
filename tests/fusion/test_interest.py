from __future__ import annotations

import math

import pytest
import torch
from torch import nn, tensor

from iamm.fusion.interest import InterestRecogniser, SceneGates

DOUBLE = torch.float64


@pytest.fixture
def recogniser() -> InterestRecogniser:
    """Scenes a and b with one prototype each, (1, 0) and (0, 1), one interest vector each, U = I, τ = ½."""
    made = InterestRecogniser(("a", "b"), 2, interests=1, prototypes=1, temperature=0.5).double()
    nn.init.eye_(made.project.weight)
    made.remember("a", tensor([[1.0, 0.0]], dtype=DOUBLE))
    made.remember("b", tensor([[0.0, 2.0]], dtype=DOUBLE))
    made.count()
    made.interests["a"].data = tensor([[[1.0, 2.0]]], dtype=DOUBLE)
    made.interests["b"].data = tensor([[[-3.0, 4.0]]], dtype=DOUBLE)
    return made


def test_values_by_hand(recogniser):
    """cos = 0.6, 0.8; over τ: 1.2, 1.6; p_a = 1 / (1 + e^0.4); q = p_a (1, 2) + p_b (−3, 4)."""
    recognised = recogniser(tensor([[3.0, 4.0]], dtype=DOUBLE), "a")
    p = 1 / (1 + math.exp(0.4))
    torch.testing.assert_close(recognised.scenes, tensor([[p, 1 - p]], dtype=DOUBLE))
    torch.testing.assert_close(recognised.interest, tensor([[[p - 3 * (1 - p), 2 * p + 4 * (1 - p)]]], dtype=DOUBLE))
    torch.testing.assert_close(recognised.loss, tensor([-math.log(p)], dtype=DOUBLE))


def test_a_hidden_scene_leaves_its_share_to_the_others(recogniser):
    vectors = tensor([[3.0, 4.0], [3.0, 4.0]], dtype=DOUBLE)
    recognised = recogniser(vectors, "a", tensor([True, False]))
    torch.testing.assert_close(recognised.scenes[0], tensor([0.0, 1.0], dtype=DOUBLE))
    torch.testing.assert_close(recognised.interest[0], tensor([[-3.0, 4.0]], dtype=DOUBLE))
    torch.testing.assert_close(recognised.scenes[1], recogniser(vectors, "a").scenes[1])
    torch.testing.assert_close(recognised.loss[0], recognised.loss[1])


def test_the_only_scene_is_not_hidden():
    recogniser = InterestRecogniser(("a",), 2, interests=1, prototypes=2, temperature=1.0)
    recognised = recogniser(torch.randn(3, 2), "a", torch.ones(3, dtype=torch.bool))
    torch.testing.assert_close(recognised.scenes, torch.ones(3, 1))
    assert recognised.interest.isfinite().all()


def test_a_scene_that_is_not_known_gets_the_interest_of_those_that_it_resembles(recogniser):
    vectors = tensor([[5.0, 0.0], [0.0, 0.1]], dtype=DOUBLE)
    recognised = recogniser(vectors, "c")
    p = 1 / (1 + math.exp(-2))
    torch.testing.assert_close(recognised.scenes, tensor([[p, 1 - p], [1 - p, p]], dtype=DOUBLE))
    assert recognised.loss.tolist() == [0.0, 0.0]
    torch.testing.assert_close(recogniser.of_scene("c"), tensor([[-1.0, 3.0]], dtype=DOUBLE))


def test_prototypes_share_a_scene(recogniser):
    """Two prototypes of one scene: p_s is the sum of theirs, and each has an interest of its own."""
    wide = InterestRecogniser(("a", "b"), 2, interests=3, prototypes=2, temperature=0.5).double()
    wide.remember("a", tensor([[1.0, 0.0], [0.0, 1.0]], dtype=DOUBLE))
    wide.remember("b", tensor([[-1.0, 0.0], [0.0, -1.0]], dtype=DOUBLE))
    wide.count()
    vector = tensor([[3.0, 4.0]], dtype=DOUBLE)
    scores = [
        nn.functional.cosine_similarity(wide.project(vector), wide.project(centre[None])).item() / 0.5
        for name in "ab"
        for centre in wide.centres(name)
    ]
    powers = [math.exp(score) for score in scores]
    shares = tensor(powers, dtype=DOUBLE) / sum(powers)
    recognised = wide(vector, "b")
    torch.testing.assert_close(recognised.scenes[0], shares.view(2, 2).sum(dim=1))
    vectors = torch.cat([wide.interests["a"], wide.interests["b"]])  # (4, 3, 2)
    torch.testing.assert_close(recognised.interest[0], sum(share * q for share, q in zip(shares, vectors, strict=True)))


def test_exchanged_prototypes_exchange_the_interest(recogniser):
    vector = tensor([[3.0, 0.1]], dtype=DOUBLE)
    before = recogniser(vector, "a").interest
    recogniser.prototypes["a"], recogniser.prototypes["b"] = recogniser.prototypes["b"], recogniser.prototypes["a"]
    after = recogniser(vector, "a").interest
    assert (before - after).abs().max() > 1


def test_scenes_stand_in_the_order_of_the_run_whatever_the_alphabet_says():
    """Of scenes b, a: column 0 of p is that of b, and so are its loss, its interest and its gate."""
    made = InterestRecogniser(("b", "a"), 2, interests=1, prototypes=1, temperature=0.5).double()
    nn.init.eye_(made.project.weight)
    made.remember("b", tensor([[1.0, 0.0]], dtype=DOUBLE))
    made.remember("a", tensor([[0.0, 1.0]], dtype=DOUBLE))
    made.count()
    vector = tensor([[5.0, 0.0]], dtype=DOUBLE)  # cos 1 with b, 0 with a
    p = 1 / (1 + math.exp(-2))
    recognised = made(vector, "b")
    torch.testing.assert_close(recognised.scenes, tensor([[p, 1 - p]], dtype=DOUBLE))
    torch.testing.assert_close(recognised.loss, tensor([-math.log(p)], dtype=DOUBLE))
    expected = p * made.interests["b"] + (1 - p) * made.interests["a"]
    torch.testing.assert_close(recognised.interest, expected)
    hidden = made(vector, "b", tensor([True]))
    torch.testing.assert_close(hidden.scenes, tensor([[0.0, 1.0]], dtype=DOUBLE))
    torch.testing.assert_close(hidden.interest, made.interests["a"].detach(), check_stride=False)
    gates = SceneGates(("b", "a"), 2).double()
    gates.weights["b"].data.fill_(100.0)
    one = tensor([[[1.0, 2.0]]], dtype=DOUBLE)
    torch.testing.assert_close(gates(one, tensor([[1.0, 0.0]], dtype=DOUBLE), "a"), 2 * one)
    torch.testing.assert_close(gates(one, tensor([[0.0, 1.0]], dtype=DOUBLE), "a"), one)
