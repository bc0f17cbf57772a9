"""Fusions that read all data sets of a step at once: a domain loss with reversed gradients, and cross-stitch units."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import CLASS, PIXELS
from iamm.encoder.base import Encoder, Features, masked_mean
from iamm.engine.checkpointer import Checkpointer
from iamm.engine.collate import collate
from iamm.engine.fit import Loop, fit
from iamm.engine.plan import Plan
from iamm.fusion.base import Fused, Fusion
from iamm.head.classifier import ClassifierHead
from iamm.model.scene_network import SceneNetwork
from iamm.weighting.equal import EqualWeighting
from iamm.weighting.nash import NashWeighting

CPU = torch.device("cpu")
SIZES = {"p": 4, "q": 3}


class Reversed(torch.autograd.Function):
    """x, whose gradient is −λ times that which comes back (Ganin and Lempitsky 2015)."""

    @staticmethod
    def forward(ctx, x, strength):
        ctx.strength = strength
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return -ctx.strength * slope, None


class DomainFusion(Fusion):
    """x'_s = x_s; a classifier says which scene a mean of features is from, and features learn to hide it."""

    reads_all_scenes = True

    def __init__(self, scenes, dim, *, price=0.7):
        super().__init__(scenes, dim)
        self.price = price
        self.classify = nn.Linear(dim, len(self.scenes))
        self.calls = []

    def forward(self, features):
        self.calls.append({name: len(scene.values) for name, scene in features.items()})
        return Fused(features, None, {"domain": self.price * self.domain_loss(features, self.progress)})

    def domain_loss(self, features, strength):
        means = torch.cat([masked_mean(scene) for scene in features.values()])
        labels = torch.cat([torch.full((len(s.values),), self.scenes.index(n)) for n, s in features.items()])
        each = functional.cross_entropy(self.classify(Reversed.apply(means, strength)), labels, reduction="none")
        return torch.stack([part.sum() for part in each.split([len(s.values) for s in features.values()])]) / len(each)


class StitchedFusion(Fusion):
    """x'_s = x_s + Σ_r a_r mean_r, where mean_r is taken over all of scene r's batch: every scene reads every other."""

    reads_all_scenes = True
    mixes_views = True

    def __init__(self, scenes, dim):
        super().__init__(scenes, dim)
        self.stitch = nn.ParameterDict({name: torch.full((dim,), 0.3) for name in self.scenes})

    def forward(self, features):
        mixed = sum(self.stitch[name] * masked_mean(scene).mean(dim=0) for name, scene in features.items())
        return Fused({name: Features(scene.values + mixed, scene.allow) for name, scene in features.items()}, None)


class Rows(Encoder):
    """Each row of a picture is a place."""

    def __init__(self, scene, dim):
        super().__init__(scene, dim)
        self.layer = nn.Linear(7, dim)

    def forward(self, inputs, present):
        values = self.layer(inputs["image"][:, 0])
        return Features(values, present[:, None].expand(-1, values.shape[1]))


def dataset(name: str) -> Dataset:
    draw = torch.Generator().manual_seed(len(name) + ord(name))
    pixels = torch.randint(0, 256, (24, 1, 5, 7), generator=draw, dtype=torch.uint8)
    split = Split({"image": pixels}, torch.randint(0, 3, (24,), generator=draw), torch.ones(24, dtype=torch.bool))
    splits = dict.fromkeys(("train", "validation", "test"), split)
    scene = Scene(name, "image", "classification", splits, {"image": PIXELS}, CLASS, ("a", "b", "c"))
    return Dataset(name, (scene,), SIZES[name])


@pytest.fixture
def pair():
    return [dataset(name) for name in SIZES]


def network(pair, fusion) -> SceneNetwork:
    torch.manual_seed(0)
    scenes = [scene for each in pair for scene in each.scenes]
    head = {"classification": partial(ClassifierHead, dropout=0.0)}
    return SceneNetwork(scenes, 6, encoder={"image": Rows}, fusion=fusion, head=head)


class First:
    """The first rows, again and again."""

    visited = 0

    def __init__(self, rows):
        self.rows = torch.arange(rows)

    def next(self, growth):
        return self.rows

    def steps(self, growth):
        return 1


def stepped(model, pair, weighting, accumulate=1):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    plan = Plan(1, steps=1, accumulate=accumulate)
    samplers = [First(each.batch_size) for each in pair]
    loop = Loop(model, pair, samplers, weighting, optimizer, lambda *_: 1.0, plan, 0, CPU, {}, (), Checkpointer())
    return loop.step(0)


def whole_batch(pair):
    parts = [collate(each, "train", torch.arange(each.batch_size), CPU) for each in pair]
    return {name: part for batch in parts for name, part in batch.items()}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("rule", [EqualWeighting, NashWeighting])
def test_a_domain_loss_through_gradient_reversal(rule, accumulate, pair):
    """The classifier steps down its loss, the encoders 0.4 times up, beside what the rule makes of the losses."""
    model = network(pair, DomainFusion)
    model.set_progress(0.4)
    batch, parameters = whole_batch(pair), list(model.parameters())
    done = stepped(model, pair, rule(2), accumulate)
    losses = model(batch).losses
    domain = 0.7 * model.fusion.domain_loss(model.encoded(batch), -1.0).sum()  # not reversed
    slopes = torch.autograd.grad(domain, parameters, allow_unused=True)
    each = [torch.autograd.grad(loss, parameters, allow_unused=True) for loss in losses.values()]
    names = [name for name, _ in model.named_parameters()]
    for place, (name, parameter) in enumerate(zip(names, parameters, strict=True)):
        own = sum(0.5 * slope[place] for slope in each if slope[place] is not None)
        sign = 1.0 if name.startswith("fusion.") else -0.4
        reversed_slope = 0.0 if slopes[place] is None else sign * slopes[place]
        torch.testing.assert_close(parameter.grad, own + reversed_slope, rtol=1e-4, atol=1e-6)
    assert done.penalties["domain"].item() == pytest.approx(domain.item(), rel=1e-5)
    assert model.fusion.calls == [SIZES] * (accumulate + 1)


@pytest.mark.parametrize("rule", [EqualWeighting, NashWeighting])
def test_a_fusion_that_mixes_all_scenes_shares_all_encoders(rule, pair):
    model = network(pair, StitchedFusion)
    shared = model.shared_parameters([["p"], ["q"]])
    assert set(shared) == set(model.trunk_parameters())
    outcome = model(whole_batch(pair))
    assert [len(part) for part in outcome.representation] == list(SIZES.values())
    rows = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in outcome.losses.values()]
    flat = torch.stack([torch.cat([slope.flatten() for slope in row]) for row in rows]).double()
    done = stepped(model, pair, rule(2))
    weights = done.weights.double()
    if rule is NashWeighting:
        wanted = rule(2).shared_weights((flat @ flat.T).numpy(), np.ones(2), np.ones(2, dtype=bool))
        torch.testing.assert_close(weights, torch.from_numpy(wanted), rtol=1e-3, atol=1e-6)
    found = torch.cat([parameter.grad.flatten() for parameter in shared]).double()
    torch.testing.assert_close(found, weights @ flat, rtol=1e-4, atol=1e-6)
    assert all(parameter.grad.any() for parameter in shared)


def test_evaluation_shows_it_one_data_set_at_a_time(pair):
    """A training of some steps: all scenes together in each, then each by itself; the domain loss is in the records."""
    told = []

    class Listener:
        def trained(self, interval):
            told.append(interval)

        def validated(self, state, evaluation):
            assert set(evaluation.qualities) == set(SIZES)

    model = network(pair, DomainFusion)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    plan = Plan(2, steps=3, log_every=1)
    fit(
        model, pair, EqualWeighting(2), optimizer, lambda *_: 1.0, plan, seed=0, device=CPU, observers=[Listener()]
    )  # fmt: skip
    trained, validated = [SIZES] * 3, [{"p": 24}, {"q": 24}]
    assert model.fusion.calls == 2 * (trained + validated)
    assert model.fusion.progress == 5 / 6
    assert all(interval.penalties["domain"] > 0 for interval in told)
    assert len(told) == 6


def test_others_are_shown_one_data_set_at_a_time(pair):
    """The default: no example can read another data set's data."""

    class Watching(DomainFusion):
        reads_all_scenes = False

    model = network(pair, Watching)
    stepped(model, pair, EqualWeighting(2))
    assert model.fusion.calls == [{"p": 4}, {"q": 3}]
