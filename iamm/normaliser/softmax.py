"""The softmax normaliser."""

from __future__ import annotations

from torch import Tensor

from iamm.normaliser.base import Normaliser, masked_softmax


class SoftmaxNormaliser(Normaliser):
    """w_k = e^{s_k} / Σ_j e^{s_j}, j over the places in sight.

    Source: Bahdanau, Cho and Bengio 2015, eq. 6.
    """

    plain_softmax = True

    def forward(self, scores: Tensor, allow: Tensor | None) -> Tensor:
        return masked_softmax(scores, allow)
