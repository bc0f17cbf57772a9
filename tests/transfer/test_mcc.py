"""Minimum class confusion."""

from __future__ import annotations

import math

import torch

from iamm.transfer.mcc import MccTransfer, confusion

DOUBLE = torch.float64


def naive(logits: list[list[float]], temperature: float) -> float:
    answers = [[math.exp(v / temperature) for v in row] for row in logits]
    answers = [[v / sum(row) for v in row] for row in answers]
    entropies = [-sum(p * math.log(p) for p in row) for row in answers]
    certainty = [1 + math.exp(-h) for h in entropies]
    weights = [len(logits) * c / sum(certainty) for c in certainty]
    size = len(logits[0])
    confused = [
        [sum(w * row[a] * row[b] for w, row in zip(weights, answers, strict=True)) for b in range(size)]
        for a in range(size)
    ]
    return sum(confused[a][b] / sum(confused[a]) for a in range(size) for b in range(size) if a != b) / size


def test_as_in_loops():
    logits = [[1.0, -2.0, 0.5], [0.0, 3.0, 1.0], [2.0, 2.0, -1.0], [0.3, 0.1, 0.2]]
    found = confusion(torch.tensor(logits, dtype=DOUBLE), 2.5)
    torch.testing.assert_close(found, torch.tensor(naive(logits, 2.5), dtype=DOUBLE))


def test_certain_answers_are_not_confused_and_equal_ones_are():
    certain = torch.tensor([[100.0, 0.0], [0.0, 100.0]], dtype=DOUBLE)
    torch.testing.assert_close(confusion(certain, 1.0), torch.tensor(0.0, dtype=DOUBLE))
    torch.testing.assert_close(confusion(0 * certain, 1.0), torch.tensor(0.5, dtype=DOUBLE))


def test_weights_have_no_gradient():
    """d P / d logits with W held fixed, against finite differences of the same."""
    logits = torch.tensor([[1.0, -0.5], [0.2, 0.4], [-1.0, 0.3]], dtype=DOUBLE, requires_grad=True)
    (gradient,) = torch.autograd.grad(confusion(logits, 2.5), logits)
    answers = (logits.detach() / 2.5).softmax(dim=1)
    certainty = 1 + torch.exp((answers * answers.log()).sum(dim=1))
    weights = 3 * certainty / certainty.sum()

    def fixed(values):
        y = (values / 2.5).softmax(dim=1)
        rows = y.T @ (weights[:, None] * y)
        rows = rows / rows.sum(dim=1, keepdim=True)
        return (rows.sum() - rows.trace()) / 2

    other = logits.detach().clone().requires_grad_(True)
    torch.testing.assert_close(gradient, torch.autograd.grad(fixed(other), other)[0])


def test_it_runs_without_labels(task):
    made = task()
    MccTransfer(steps=1, batch=8).adapt(made.model, made.material(0))
    assert MccTransfer.reads_unlabelled
    assert made.losses().isfinite().all()
