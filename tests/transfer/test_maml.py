"""MAML over known scenes."""

from __future__ import annotations

import pytest
import torch

from iamm.transfer.base import descend, task_loss
from iamm.transfer.maml import MamlTransfer, adapted

DOUBLE = torch.float64


def quadratic(first_order: bool) -> tuple[float, float]:
    """θ' after two steps of rate 0.1 on ½ · 2 (θ − 3)² from θ = 1, and d/dθ of ½ (θ' + 1)²."""
    theta = torch.tensor(1.0, dtype=DOUBLE, requires_grad=True)
    values = adapted({"theta": theta}, lambda at, _: (at["theta"] - 3).square(), 0.1, 2, first_order=first_order)
    (gradient,) = torch.autograd.grad((values["theta"] + 1).square() / 2, theta)
    return values["theta"].item(), gradient.item()


def test_a_quadratic_by_hand():
    """θ' − 3 = (1 − 0.2)² (1 − 3), so θ' = 1.72; the derivative is (θ' + 1) · 0.8², or θ' + 1 in first order."""
    assert quadratic(first_order=False) == pytest.approx((1.72, 2.72 * 0.64))
    assert quadratic(first_order=True) == pytest.approx((1.72, 2.72))


def test_what_a_loss_does_not_depend_on_stays():
    one, other = (torch.ones((), dtype=DOUBLE, requires_grad=True) for _ in range(2))
    values = adapted({"one": one, "other": other}, lambda at, step: (step + 1) * at["one"], 0.1, 3)
    assert values["one"].item() == pytest.approx(1 - 0.1 * (1 + 2 + 3))
    assert values["other"] is other


@pytest.mark.parametrize("prefix", ["", "heads."])
def test_the_first_order_gradient_is_that_of_a_plain_loop(task, prefix):
    """Two gradient steps on a support batch move the named parameters; the gradient of the query batch there."""
    model, expected = task().model.train(), task().model.train()
    (batch, *_) = task().material(0).known_batches(model, 4)
    transfer = MamlTransfer(inner=2, rate=0.1)
    moved = {name: values for name, values in model.named_parameters() if name.startswith(prefix)}
    transfer.query_loss(model, moved, batch, 0).backward()
    for part in (0, 0, 1):
        expected.zero_grad()
        task_loss(expected(batch(part))).backward()
        if part == 0:
            with torch.no_grad():
                for name, values in expected.named_parameters():
                    if name.startswith(prefix) and values.grad is not None:
                        values -= 0.1 * values.grad
    for (name, one), other in zip(model.named_parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_a_round_moves_all_parameters_by_the_mean_over_scenes_in_turn(task):
    """AdamW on the mean of two scenes' gradients; the second round takes the third scene and the first one again."""
    made, other = task(), task()
    transfer = MamlTransfer(rounds=2, tasks=2, inner=1, rate=0.1, outer_rate=0.01, batch=4)
    transfer.adapt(made.model, made.material(0))
    moved = dict(other.model.named_parameters())
    scenes = other.material(0).known_batches(other.model, 4)
    turns = iter([((0, 0), (1, 0)), ((2, 0), (0, 1))])

    def loss(_: int) -> torch.Tensor:
        return sum(transfer.query_loss(other.model, moved, scenes[scene], turn) for scene, turn in next(turns)) / 2

    descend(other.model, list(other.model.parameters()), loss, 2, 0.01)
    for one, expected in zip(made.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(one, expected)


@pytest.mark.parametrize("first_order", [True, False])
def test_second_derivatives_pass_through_the_whole_network(task, first_order):
    made = task()
    MamlTransfer(rounds=1, inner=2, batch=4, first_order=first_order).adapt(made.model, made.material(0))
    assert made.losses().isfinite().all()
