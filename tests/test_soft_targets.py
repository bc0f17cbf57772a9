"""The loss with a teacher's answers, by hand and against a naive loop."""

from __future__ import annotations

import math

import pytest
import torch

from iamm.soft_targets import SoftTargets, attended_places

HALVES = torch.zeros(1, 2)
"""Logits of two classes as likely as each other."""


def test_the_divergence_by_hand():
    """p = (3/4, 1/4) and q = (1/2, 1/2): KL = 3/4 ln(3/2) + 1/4 ln(1/2); at T = 2 the logits are twice as far apart."""
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    for temperature in (1.0, 2.0):
        teacher = torch.tensor([[temperature * math.log(3.0), 0.0]])
        soft = SoftTargets(teacher, torch.zeros(1, 1), temperature, 0.25, 0.0)
        mixed = soft.mixed(torch.tensor(0.8), HALVES, torch.zeros(1, 1, 1))
        assert float(mixed) == pytest.approx(0.25 * temperature**2 * divergence + 0.75 * 0.8)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 1000.0])
def test_the_gradient_of_the_soft_part(temperature):
    """T (q − p), which for a high T and logits of mean 0 is (s − t) / C (Hinton et al. 2015, eq. 2 and 4, times T²)."""
    teacher = torch.tensor([[3.0, -1.0, -2.0]], dtype=torch.float64)
    student = torch.tensor([[0.5, 1.0, -1.5]], dtype=torch.float64, requires_grad=True)
    soft = SoftTargets(teacher, torch.zeros(1, 1), temperature, 1.0, 0.0)
    (found,) = torch.autograd.grad(soft.mixed(torch.tensor(0.8), student, torch.zeros(1, 1, 1)), student)
    logits = student.detach()
    torch.testing.assert_close(
        found, temperature * ((logits / temperature).softmax(1) - (teacher / temperature).softmax(1))
    )
    if temperature == 1000:
        torch.testing.assert_close(found, (logits - teacher) / 3, rtol=5e-3, atol=0)


def test_the_attention_by_hand():
    """m = (9 + 16, 0) → a = (1, 0) for the model, (0, 1) for the teacher: the squared distance is 2; β/2 of it is 3."""
    values, teacher = torch.tensor([[[3.0, 4.0], [0.0, 0.0]]]), torch.tensor([[[0.0, 0.0], [1.0, 2.0]]])
    soft = SoftTargets(HALVES, attended_places(teacher), 1.0, 0.0, 3.0)
    assert float(soft.mixed(torch.tensor(0.5), HALVES, values)) == pytest.approx(0.5 + 3.0)
    torch.testing.assert_close(
        attended_places(torch.tensor([[[1.0], [2.0], [0.0]]])), torch.tensor([[1.0, 4.0, 0.0]]) / 17**0.5
    )


def test_absent_examples_are_not_counted():
    values, teacher = torch.tensor([[[3.0], [0.0]], [[0.0], [0.0]]]), torch.tensor([[[0.0], [1.0]], [[0.0], [0.0]]])
    soft = SoftTargets(HALVES, attended_places(teacher), 1.0, 0.0, 3.0)
    assert float(soft.mixed(torch.tensor(0.5), HALVES, values)) == pytest.approx(0.5 + 3.0)


def test_no_term_and_no_place():
    """No example of a scene is present: the loss is 0, and so are its gradients."""
    soft = SoftTargets(torch.zeros(0, 3), torch.zeros(2, 5), 2.0, 0.5, 1.0)
    values = torch.zeros(2, 5, 7, requires_grad=True)
    mixed = soft.mixed(torch.tensor(0.0), torch.zeros(0, 3), values)
    mixed.backward()
    assert float(mixed.detach()) == 0.0
    assert torch.equal(values.grad, torch.zeros(2, 5, 7))


def test_as_a_naive_loop():
    generator = torch.Generator().manual_seed(0)
    logits, teacher = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    values, taught = (torch.randn(7, 2, 11, generator=generator, dtype=torch.float64) for _ in range(2))
    logits, values = logits.requires_grad_(), values.requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for row in range(5):
        p, q = (teacher[row] / 4).exp(), (logits[row] / 4).exp()
        p, q = p / p.sum(), q / q.sum()
        for label in range(3):
            total = total + 0.9 * 16 * p[label] * (p[label] / q[label]).log() / 5
    for row in range(7):
        maps = []
        for each in (values[row], taught[row]):
            squares = torch.stack([sum(value**2 for value in place) for place in each])
            maps.append(squares / squares.square().sum().sqrt())
        total = total + 0.5 / 2 * (maps[0] - maps[1]).square().sum() / 7
    total = total + 0.1 * 1.5
    mixed = SoftTargets(teacher, attended_places(taught), 4.0, 0.9, 0.5).mixed(torch.tensor(1.5), logits, values)
    torch.testing.assert_close(mixed, total)
    naive, ours = (torch.autograd.grad(each, (logits, values)) for each in (total, mixed))
    torch.testing.assert_close(ours, naive)
