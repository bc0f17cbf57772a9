"""Reptile over known scenes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.transfer.fine_tune import FineTuneTransfer
from iamm.transfer.reptile import ReptileTransfer, task_losses, visit

BOOK = "review_domains_book"


class Point(nn.Module):
    """One number θ."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(value, dtype=torch.float64))

    def end_step(self) -> None:
        """There are no buffers."""


def test_a_visit_to_a_quadratic_by_hand():
    """L = ½ (θ − 3)² from θ = 0. Adam's first step is the rate. Gradients are then −3 and −2.9: with β₁ = 0 and
    v̂ = (0.999 · 9 + 2.9²) / 1.999 the second step is 0.1 · 2.9 / √v̂. A quarter of the way is kept."""
    point = Point(0.0)
    visit(point, lambda _: (point.theta - 3).square() / 2, 2, 0.1, 0.25)
    second = 0.1 * 2.9 / ((0.999 * 9 + 2.9**2) / 1.999) ** 0.5
    assert point.theta.item() == pytest.approx((0.1 + second) / 4, rel=1e-7)


def test_a_visit_that_keeps_nothing_leaves_no_trace(task):
    """Of what is written from examples, neither."""
    made = task()
    before = {name: values.clone() for name, values in made.model.state_dict().items() if values.is_floating_point()}
    visit(made.model, task_losses(made.model, made.material(0).known_batches(made.model, 4)[0], 0), 2, 0.1, 0.0)
    after = made.model.state_dict()
    assert any("prototypes" in name or "centres" in name for name in before)
    for name, values in before.items():
        torch.testing.assert_close(after[name], values)


def test_rounds_visit_known_scenes_in_turn_and_fade(task):
    """Four rounds over three scenes: ε is 1, ¾, ½, ¼, and the first scene comes twice, with its next batches."""
    made, other = task(), task()
    ReptileTransfer(rounds=4, inner=2, rate=0.01, batch=4).adapt(made.model, made.material(0))
    scenes = other.material(0).known_batches(other.model, 4)
    for number, (scene, first) in enumerate([(0, 0), (1, 0), (2, 0), (0, 2)]):
        visit(other.model, task_losses(other.model, scenes[scene], first), 2, 0.01, 1 - number / 4)
    for one, expected in zip(made.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(one, expected, rtol=0, atol=0)


def test_labels_are_learnt_from_where_it_ends(task, changed):
    made = task()
    ReptileTransfer(rounds=1, inner=1, steps=60, rate=0.01).adapt(made.model, made.material(4))
    outputs, _ = made.model.observe(made.material(4).batch("train", torch.arange(8)))
    assert outputs[BOOK]["predicted"] == [0, 1] * 4
    assert issubclass(ReptileTransfer, FineTuneTransfer)
    assert not ReptileTransfer.reads_unlabelled
