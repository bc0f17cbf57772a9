"""Features of the target get the covariance of the known scenes' features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from iamm.constraints import Count, Positive
from iamm.transfer.replay import Read, ReplayTransfer


class CoralTransfer(ReplayTransfer):
    """P = mean_s ‖C_s − C_t‖²_F / (4 D²), C the covariance of a batch's z (Sun and Saenko 2016, eqs. 1 to 3).

    z (D) is what the classifier's last layer reads. The source has one known scene; ours is the mean over all of them.
    It reads the target's inputs without labels.

    Args:
        weight: λ; with 30 both losses were of about one size on reviews, as the source asks (λ = 1 is nearly replay).
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples of each scene a step; fewer where there are fewer.
    """

    reads_unlabelled = True

    def __init__(
        self, *, weight: Positive = 30.0, steps: Count = 100, rate: Positive = 1e-3, batch: Count = 32
    ) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)
        self.weight = weight

    def penalty(self, known: Sequence[Read], target: Read, step: int) -> Tensor:
        return torch.stack([distance(each.vectors, target.vectors) for each in known]).mean()


def distance(one: Tensor, other: Tensor) -> Tensor:
    """‖C − C'‖²_F / (4 D²) of two batches (B, D) and (B', D).  # ()"""
    return (covariance(one) - covariance(other)).square().sum() / (4 * one.shape[1] ** 2)


def covariance(vectors: Tensor) -> Tensor:
    """(XᵀX − (1ᵀX)ᵀ(1ᵀX) / B) / (B − 1) of a batch X (B, D).  # (D, D)"""
    return torch.cov(vectors.T)
