"""The covariance of features."""

from __future__ import annotations

import torch

from iamm.transfer.coral import CoralTransfer, covariance, distance
from iamm.transfer.replay import Read

DOUBLE = torch.float64


def test_the_distance_by_hand():
    """Covariances [[2, 0], [0, 0]] and [[8, 0], [0, 0]]: 36 / 16."""
    one = torch.tensor([[0.0, 1.0], [2.0, 1.0]], dtype=DOUBLE)
    torch.testing.assert_close(covariance(one), torch.tensor([[2.0, 0.0], [0.0, 0.0]], dtype=DOUBLE))
    torch.testing.assert_close(distance(one, 2 * one), torch.tensor(36 / 16, dtype=DOUBLE))


def test_the_formula_of_the_source():
    x = torch.randn(7, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    ones = torch.ones(1, 7, dtype=DOUBLE)
    expected = (x.T @ x - (ones @ x).T @ (ones @ x) / 7) / 6
    torch.testing.assert_close(covariance(x), expected)


def test_the_mean_over_known_scenes_has_gradients():
    generator = torch.Generator().manual_seed(1)
    one, other, target = (torch.randn(5, 3, dtype=DOUBLE, generator=generator, requires_grad=True) for _ in range(3))
    reads = [Read(torch.zeros(()), z, torch.zeros(5, 2)) for z in (one, other, target)]
    found = CoralTransfer().penalty(reads[:2], reads[2], 0.5)
    torch.testing.assert_close(found, (distance(one, target) + distance(other, target)) / 2)
    assert all(gradient.any() for gradient in torch.autograd.grad(found, (one, other, target)))


def test_it_runs_without_labels(task):
    made = task()
    material = made.material(0)
    CoralTransfer(steps=1, batch=8).adapt(made.model, material)
    assert CoralTransfer.reads_unlabelled
    assert made.losses().isfinite().all()
