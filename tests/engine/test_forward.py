"""What is minimised beside the scenes' losses: paid once a step, outside the weighting."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from iamm.engine.checkpointer import Checkpointer
from iamm.engine.collate import collate
from iamm.engine.fit import Loop, fit
from iamm.engine.forward import add_penalties
from iamm.engine.gradients import unscaled
from iamm.engine.observer import Totals
from iamm.engine.plan import Plan, RunState
from iamm.weighting.equal import EqualWeighting
from iamm.weighting.multiple_gradient_descent import MultipleGradientDescentWeighting
from iamm.weighting.nash import NashWeighting
from iamm.weighting.scene_attention import SceneAttentionWeighting
from iamm.weighting.uncertainty import UncertaintyWeighting

CPU = torch.device("cpu")
NAMES = ("pictures", "texts")
RULES = (
    EqualWeighting,
    UncertaintyWeighting,
    SceneAttentionWeighting,
    NashWeighting,
    MultipleGradientDescentWeighting,
)


class Priced(nn.Module):
    """Two losses over one w and a head each, with a price on w and on what a batch shows of it."""

    names = NAMES
    reads_all_scenes = False

    def __init__(self, price: float = 0.3) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, -1.0, 2.0]))
        self.heads = nn.ParameterList([nn.Parameter(torch.tensor(0.1)), nn.Parameter(torch.tensor(-0.4))])
        self.price, self.seen = price, []

    def head_parameters(self):
        return [[head] for head in self.heads]

    def trunk_parameters(self):
        return [self.w]

    def shared_parameters(self, groups):
        return [self.w]

    def shared_head_parameters(self):
        return []

    def penalties(self):
        return {"size": self.price * self.w.square().sum(), "mixed": self.price * self.w.sum()}

    def end_step(self, *, applied=True):
        pass

    def end_validation(self, qualities):
        pass

    def set_progress(self, progress):
        self.seen.append(progress)

    def counts(self, batch):
        return torch.stack([part.present.sum() for part in batch.values()])

    def forward(self, batch):
        (name,) = batch
        place, shown = NAMES.index(name), next(iter(batch[name].inputs.values())).float().mean()
        features = self.w * (1 + place + shown)
        losses = {name: (features - place).square().sum() * self.heads[place].exp()}
        paid = {"mixed": self.price * (features * shown).sum()[None]}
        weights = {name: torch.tensor([0.25, 0.75])}
        return SimpleNamespace(
            losses=losses, scene_weights=weights, features={name: features}, representation=[], penalties=paid
        )

    def observe(self, batch):
        return {name: {} for name in batch}, {}

    def measure(self, outputs):
        return {name: {"accuracy": 0.5} for name in outputs}, dict.fromkeys(outputs, 0.5)


def stepped(datasets, rule, accumulate: int, price: float, scale: float = 1.0):
    """One step's whole gradients of w and heads, the weights applied, and what was paid."""
    model, weighting = Priced(price), rule(2)
    optimizer = torch.optim.SGD([*model.parameters(), *weighting.parameters()], lr=0.0)
    plan = Plan(1, steps=1, accumulate=accumulate)
    samplers = [Constant(dataset) for dataset in datasets]
    loop = Loop(
        model, datasets, samplers, weighting, optimizer, lambda step, total: 1.0, plan, 0, CPU, {}, (), Checkpointer()
    )
    loop.loss_scale = scale
    with unscaled(loop.parameters, lambda: scale):
        done = loop.step(0)
    return model, [model.w.grad, *(head.grad for head in model.heads)], done


class Constant:
    """Always the same rows, so that four accumulated batches are one."""

    visited = 0

    def __init__(self, dataset) -> None:
        self.rows = torch.arange(dataset.batch_size)

    def next(self, growth):
        return self.rows

    def steps(self, growth):
        return 1


def batches_of(datasets):
    return [collate(dataset, "train", torch.arange(dataset.batch_size), CPU) for dataset in datasets]


def expected_penalties(model, datasets):
    shown = [
        next(iter(part.inputs.values())).float().mean() for batch in batches_of(datasets) for part in batch.values()
    ]
    mixed = model.w.sum() + sum((model.w * (1 + place + x)).sum() * x for place, x in enumerate(shown))
    return model.price * model.w.square().sum(), model.price * mixed


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("rule", RULES)
def test_a_step_is_the_weighting_and_each_penalty_once(rule, accumulate, pictures, texts):
    datasets = [pictures(), texts()]
    model, found, done = stepped(datasets, rule, accumulate, 0.3)
    _, without, free = stepped(datasets, rule, accumulate, 0.0)
    size, mixed = expected_penalties(model, datasets)
    (slope,) = torch.autograd.grad(size + mixed, model.w)
    torch.testing.assert_close(found[0], without[0] + slope)
    torch.testing.assert_close(found[1:], without[1:])
    torch.testing.assert_close(done.weights, free.weights)
    torch.testing.assert_close(dict(done.penalties), {"mixed": mixed.detach(), "size": size.detach()})
    assert slope.abs().min() > 0.1


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("rule", RULES)
def test_the_scale_of_fp16_changes_no_bit(rule, accumulate, pictures, texts):
    """A power of two, in the arithmetic of fp32: weights, gradients by the rule and penalties are those without it."""
    _, plain, without = stepped([pictures(), texts()], rule, accumulate, 0.3)
    _, found, scaled = stepped([pictures(), texts()], rule, accumulate, 0.3, scale=2.0**16)
    torch.testing.assert_close(found, plain, rtol=0, atol=0)
    torch.testing.assert_close(scaled.weights, without.weights, rtol=0, atol=0)
    assert scaled.penalties == without.penalties


@pytest.mark.parametrize("accumulate", [1, 4])
def test_equal_weights_and_penalties_by_plain_autograd(accumulate, pictures, texts):
    datasets = [pictures(), texts()]
    model, found, _ = stepped(datasets, EqualWeighting, accumulate, 0.3)
    losses = [loss for batch in batches_of(datasets) for loss in model(batch).losses.values()]
    total = sum(losses) / 2 + sum(expected_penalties(model, datasets))
    torch.testing.assert_close(found, list(torch.autograd.grad(total, [model.w, *model.heads])))


def test_penalties_are_logged_as_means_of_steps(pictures, texts, listener):
    model = Priced()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    plan = Plan(1, steps=3, log_every=2)
    fit(
        model, [pictures(), texts()], EqualWeighting(2), optimizer, lambda step, total: 1.0, plan,
        seed=0, device=CPU, observers=[listener],
    )  # fmt: skip
    size = 0.3 * model.w.square().sum().item()
    assert [interval.penalties["size"] for interval in listener.intervals] == pytest.approx([size, size])
    assert list(listener.intervals[0].penalties) == ["mixed", "size"]


def test_the_model_learns_the_progress_of_training(pictures, texts):
    """Steps 0 to 5 of 6, and from step 4 on where a run goes on there."""
    for state, expected in ((None, range(6)), (RunState(step=4, epoch=2), (4, 5))):
        model = Priced()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        data = [pictures(), texts()]
        plan = Plan(3, steps=2)
        fit(
            model, data, EqualWeighting(2), optimizer, lambda step, total: 1.0, plan,
            seed=0, device=CPU, state=state,
        )  # fmt: skip
        assert model.seen == [step / 6 for step in expected]


def test_sums_of_penalties_go_on():
    totals = Totals(("a",), CPU)
    totals.penalties, totals.steps = {"span": torch.tensor(3.0)}, 2
    other = Totals(("a",), CPU)
    other.load_state_dict(totals.state_dict())
    assert other.interval(RunState(), 10, 0.1).penalties == {"span": 1.5}


def test_frozen_parameters_pay_nothing():
    assert add_penalties({"span": torch.tensor(2.0)}, 0.5)["span"].item() == 1.0
    assert add_penalties({}) == {}
