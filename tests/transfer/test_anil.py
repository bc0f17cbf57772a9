"""ANIL over known scenes."""

from __future__ import annotations

import torch

from iamm.transfer.anil import AnilTransfer
from iamm.transfer.maml import loss_at


def test_the_head_alone_moves_on_the_target(task, changed):
    """After the rounds, two gradient steps on the target's labels, by hand."""
    made, other = task(), task()
    for each, steps in ((made, 2), (other, 1)):
        AnilTransfer(rounds=1, inner=1, steps=steps, rate=0.1, batch=4).adapt(each.model, each.material(2))
    before = {name: values.detach().clone() for name, values in other.model.named_parameters()}
    names = [name for name in before if name.startswith("heads.")]
    parameters = [other.model.get_parameter(name) for name in names]
    gradients = torch.autograd.grad(
        loss_at(other.model, {}, other.material(2).batches("train", 4)(1)), parameters, allow_unused=True
    )
    for name, gradient in zip(names, gradients, strict=True):
        expected = before[name] if gradient is None else before[name] - 0.1 * gradient
        torch.testing.assert_close(made.model.get_parameter(name).detach(), expected)
    assert changed(made.model, before) == {
        name for name, gradient in zip(names, gradients, strict=True) if gradient is not None
    }
