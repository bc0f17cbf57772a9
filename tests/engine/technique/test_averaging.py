"""Averages by hand, on a model whose weight falls by 2 a step: 10 → 8, 6, 4, 2."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from iamm.engine.checkpointer import Checkpointer
from iamm.engine.fit import fit
from iamm.engine.plan import Plan
from iamm.engine.technique.averaging import Average
from iamm.engine.technique.techniques import Techniques
from iamm.weighting.equal import EqualWeighting

CPU = torch.device("cpu")


class Saved(Checkpointer):
    """Collects the weight of each model that is saved as the best."""

    def __init__(self) -> None:
        self.weights: list[float] = []

    def save_best(self, state, model):
        self.weights.append(model.w.item())


@pytest.fixture
def falling(slopes, pictures):
    """Rule, epochs and steps of each → the saved weights, and the last trained one."""

    def weights(rule: float | str, epochs: int, steps: int) -> tuple[list[float], float]:
        class Falling(slopes):
            """The lower its weight, the better."""

            def observe(self, batch):
                return {"pictures": self.w.item()}, {}

            def measure(self, outputs):
                quality = {"pictures": -outputs["pictures"][0]}
                return {"pictures": {"loss": 0.0}}, quality

        model, data, saved = Falling({"pictures": (2.0,)}, (10.0,)), pictures(), Saved()
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        average = Techniques(average=Average(model, rule, [data], CPU))
        parts = (model, [data], EqualWeighting(1), optimizer, lambda step, total: 1.0, Plan(epochs, steps=steps))
        fit(*parts, seed=0, device=CPU, techniques=average, checkpointer=saved)
        return saved.weights, model.w.item()

    return weights


def test_the_moving_average(falling):
    """8; then half of it and half of 6, and so on: 8, 7, 5.5, 3.75, of which each second one is validated."""
    assert falling(0.5, 2, 2) == ([7.0, 3.75], 2.0)


def test_the_mean_of_the_last_quarter(falling):
    """The ends of epochs 3 and 4: 4, and (4 + 2) / 2; before, the trained weight."""
    assert falling("swa", 4, 1) == ([8.0, 6.0, 4.0, 3.0], 2.0)


def test_the_mean_is_over_ends_of_epochs(falling):
    """Two epochs of two steps: only the second one ends in the last quarter."""
    assert falling("swa", 2, 2) == ([6.0, 2.0], 2.0)


class Normed(nn.Module):
    """Batch norm of the pixels after a factor, with dropout behind."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(3.0))
        self.norm = nn.BatchNorm1d(35)
        self.dropped: list[bool] = []

    def forward(self, batch):
        values = self.norm(self.factor * batch["pictures"].inputs["image"].flatten(1))
        return functional.dropout(values, 0.5, self.training)

    def end_step(self, *, applied: bool = True) -> None:
        self.dropped.append(not applied)


def test_batch_norms_of_the_mean_are_measured_anew(pictures):
    """Over the whole training split, without a draw of the run's own random stream."""
    data, model = pictures(), Normed()
    average, stream = Average(model, "swa", [data], CPU), torch.get_rng_state()
    average.end_step(model, 0.75, epoch_ends=True)
    with torch.no_grad():
        model.factor.fill_(5.0)
    average.end_step(model, 1.0, epoch_ends=True)
    values = 4.0 * data.scenes[0].splits["train"].inputs["image"].flatten(1) / 255
    torch.testing.assert_close(average.module.norm.running_mean, values.mean(dim=0))
    torch.testing.assert_close(average.module.norm.running_var, values.var(dim=0))
    assert average.module.dropped == [True, True]
    assert torch.equal(torch.get_rng_state(), stream)
    torch.testing.assert_close(model.norm.running_mean, torch.zeros(35))


def test_a_frozen_batch_norm_of_the_mean_keeps_its_statistics(pictures):
    model = Normed()
    model.norm.requires_grad_(False)
    model.norm.running_mean.fill_(7.0)
    average = Average(model, "swa", [pictures()], CPU)
    average.end_step(model, 1.0, epoch_ends=True)
    torch.testing.assert_close(average.module.norm.running_mean, torch.full((35,), 7.0))


def test_batch_norms_of_the_moving_average_are_those_of_the_trained_model(pictures):
    model = Normed()
    average = Average(model, 0.9, [pictures()], CPU)
    model.norm.running_mean.fill_(7.0)
    average.end_step(model, 0.1, epoch_ends=False)
    torch.testing.assert_close(average.module.norm.running_mean, torch.full((35,), 7.0))
