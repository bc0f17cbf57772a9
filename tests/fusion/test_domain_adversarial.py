from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from iamm.fusion.domain_adversarial import DomainAdversarialFusion
from iamm.fusion.shared import SharedFusion
from tests.fusion.naive import mean_of_real, varied

NAMES = ("a", "b", "c")


def test_a_discriminator_that_knows_nothing_pays_ln_s_a_scene(features):
    """Each of two of three scenes: ln 3, times penalty / S; absent views count for nothing."""
    fusion = DomainAdversarialFusion(NAMES, 4, penalty=0.6).double()
    for answer in fusion.answers.values():
        nn.init.zeros_(answer.weight)
        nn.init.zeros_(answer.bias)
    penalties = fusion(features("ab", 4)).penalties
    assert list(penalties) == ["domain"]
    assert penalties["domain"].tolist() == pytest.approx([0.6 * math.log(3) / 3] * 2)


def test_features_are_those_of_the_shared_trunk(features, agree):
    fusion = varied(DomainAdversarialFusion(NAMES, 5, layers=2, dropout=0.0))
    shared = SharedFusion(NAMES, 5, layers=2, dropout=0.0).double()
    shared.blocks = fusion.blocks
    given = features("ab", 5)
    found, expected = fusion(given).features, shared(given).features
    for name in "ab":
        leaves = [given[name].values, *shared.parameters()]
        agree(found[name].values, expected[name].values, leaves)


def test_the_penalty_equals_the_naive_loop_and_its_gradient_is_reversed(features):
    """The discriminator has the gradient of the penalty, trunk and features −λ times it."""
    fusion = varied(DomainAdversarialFusion(NAMES, 5, dropout=0.0, penalty=0.7))
    fusion.progress = 0.05
    given = features("ab", 5)
    fused = fusion(given)
    total = torch.zeros((), dtype=torch.float64)
    for name in "ab":
        values, allow = fused.features[name]
        losses = []
        for b in range(4):
            if allow[b].any():
                hidden = fusion.discriminator(mean_of_real(values[b], allow[b]))
                scores = {other: answer(hidden).squeeze() for other, answer in fusion.answers.items()}
                losses.append(torch.log(sum(torch.exp(score) for score in scores.values())) - scores[name])
        total = total + 0.7 * sum(losses) / len(losses) / 3
    torch.testing.assert_close(fused.penalties["domain"].sum(), total)
    theirs = [*fusion.discriminator.parameters(), *fusion.answers.parameters()]
    hidden_from = [*(scene.values for scene in given.values()), *fusion.blocks.parameters()]
    leaves = [*theirs, *hidden_from]
    found = torch.autograd.grad(fused.penalties["domain"].sum(), leaves, retain_graph=True)
    plain = torch.autograd.grad(total, leaves)
    rate = 2 / (1 + math.exp(-0.5)) - 1
    signed = [*plain[: len(theirs)], *(-rate * slope for slope in plain[len(theirs) :])]
    torch.testing.assert_close(found, tuple(signed))
    assert all(slope.any() for slope in found)


def test_an_unknown_scene_pays_nothing(features):
    fusion = DomainAdversarialFusion(("a", "b"), 4).double()
    assert fusion(features("c", 4)).penalties == {}
    assert fusion(features("ac", 4)).penalties["domain"].tolist()[1] == 0.0


def test_a_view_that_is_absent_throughout_pays_nothing(features):
    given = features("a", 4)
    given = {"a": given["a"]._replace(allow=torch.zeros_like(given["a"].allow))}
    assert DomainAdversarialFusion(("a", "b"), 4).double()(given).penalties["domain"].item() == 0.0
