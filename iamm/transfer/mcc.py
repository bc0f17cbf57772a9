"""Answers for the target become less confused between classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iamm.constraints import Count, Positive
from iamm.transfer.replay import Read, ReplayTransfer


class MccTransfer(ReplayTransfer):
    """P = (Σ C̃ − tr C̃) / |C|: minimum class confusion (Jin et al. 2020, eqs. 3 to 8), on the target's batch alone.

    Ŷ = softmax(logits / T),  W_i = B (1 + e^{−H_i}) / Σ_j (1 + e^{−H_j}) with H_i the entropy of Ŷ_i, without gradient,
    C = Ŷᵀ diag(W) Ŷ, and C̃ has the rows of C, each divided by its sum. It reads the target's inputs without labels, and
    takes their classes to be about equally frequent.

    Args:
        temperature: T.
        weight: λ.
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples of each scene a step; fewer where there are fewer.
    """

    reads_unlabelled = True

    def __init__(
        self,
        *,
        temperature: Positive = 2.5,
        weight: Positive = 1.0,
        steps: Count = 100,
        rate: Positive = 1e-3,
        batch: Count = 32,
    ) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)
        self.temperature, self.weight = temperature, weight

    def penalty(self, known: Sequence[Read], target: Read, step: int) -> Tensor:
        return confusion(target.logits, self.temperature)


def confusion(logits: Tensor, temperature: float) -> Tensor:
    """P of logits (B, C).  # ()"""
    answers = (logits / temperature).softmax(dim=1)
    with torch.no_grad():
        certainty = 1 + torch.exp((answers * answers.clamp(min=1e-12).log()).sum(dim=1))  # (B,)
        weights = len(answers) * certainty / certainty.sum()
    confused = answers.T @ (weights[:, None] * answers)  # (C, C)
    rows = confused / confused.sum(dim=1, keepdim=True)
    return (rows.sum() - rows.trace()) / len(rows)
