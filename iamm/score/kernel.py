"""The inner product of positive features of query and key."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.score.base import InnerProductScore


class KernelScore(InnerProductScore):
    """s(q, k) = φ(q)ᵀφ(k), φ(x) = elu(x) + 1 = e^{min(x, 0)} + max(x, 0), without parameters.

    Never below zero: made for `normaliser=sum`, with which the sums may be reordered and cost O(T) for T places
    (`attention=linear`).

    Source: Katharopoulos et al. 2020, eq. 4 and 7. The second form of φ is exact where e^x would drown in e^x − 1 + 1.
    """

    positive = True

    def query(self, query: Tensor) -> Tensor:
        return positive_features(query)

    def key(self, key: Tensor) -> Tensor:
        return positive_features(key)


def positive_features(features: Tensor) -> Tensor:
    """φ(x) = elu(x) + 1, feature by feature."""
    return features.clamp(max=0.0).exp() + torch.relu(features)
