"""Domain-adversarial training with the target's inputs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from iamm.transfer.adversarial import AdversarialTransfer, discriminator, scene_loss

DOUBLE = torch.float64


def test_the_loss_by_hand():
    """D(z) = (z, 0): −log σ(z) for the first scene, −log σ(−z) for the second, whatever their sizes."""
    linear = nn.Linear(1, 2, bias=False, dtype=DOUBLE)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0], [0.0]]))
    one, other = torch.tensor([[2.0], [0.0]], dtype=DOUBLE), torch.tensor([[1.0]], dtype=DOUBLE)
    first = (math.log(1 + math.exp(-2)) + math.log(2)) / 2
    expected = (first + math.log(1 + math.exp(1))) / 2
    assert scene_loss(linear, [one, other], 0.5).item() == pytest.approx(expected)


def test_the_discriminator_learns_in_full_and_features_get_the_reverse():
    """Against the same loss without reversal: D's gradients are equal, those of z are −λ times theirs."""
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(5, 3, generator=generator, dtype=DOUBLE, requires_grad=True) for _ in range(3)]
    module = discriminator(3, 3).double()
    parameters = list(module.parameters())
    found = torch.autograd.grad(scene_loss(module, parts, 0.7), [*parameters, *parts])
    losses = [nn.functional.cross_entropy(module(part), torch.full((5,), number)) for number, part in enumerate(parts)]
    plain = torch.autograd.grad(sum(losses) / 3, [*parameters, *parts])
    for one, other in zip(found[: len(parameters)], plain, strict=False):
        torch.testing.assert_close(one, other)
    for one, other in zip(found[len(parameters) :], plain[len(parameters) :], strict=True):
        torch.testing.assert_close(one, -0.7 * other)


def test_the_model_learns_beside_a_discriminator_that_is_no_part_of_it(task, changed):
    made = task()
    before = {name: values.detach().clone() for name, values in made.model.named_parameters()}
    transfer = AdversarialTransfer(steps=2, batch=8)
    torch.manual_seed(5)
    transfer.adapt(made.model, made.material(0))
    assert AdversarialTransfer.reads_unlabelled
    assert changed(made.model, before) <= set(before)
    torch.manual_seed(5)
    untrained = discriminator(8, 4)
    pairs = zip(transfer.discriminator.parameters(), untrained.parameters(), strict=True)
    assert not any(one.equal(other) for one, other in pairs)
    assert made.losses().isfinite().all()
