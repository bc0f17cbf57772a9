"""Texts → a linear map of the tf-idf of their words and neighbouring words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor, nn

from iamm.constraints import Layers, Number, ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features

AT_ONCE = 1_024
"""Texts that are counted together."""
FACTOR = 1_000_003
"""Of the hash of an n-gram: a prime, so that neighbours do not share rows."""
Rows = Annotated[int, Number(2, 1 << 24, whole=True)]


class NgramsEncoder(Encoder):
    """x_t = T Σ_n φ(g_tn) E[g_tn] over the n-grams g_tn that begin at place t, so that the mean of the T places is
    Σ_g φ(g) E[g]: without attention and norm in the head, a linear classifier of tf-idf features.

    φ(g) is (1 + ln tf(g)) idf(g) over the L2 norm of all of a text, divided by tf(g), the occurrences of g among which
    it is shared; idf(g) = 1 + ln((1 + N) / (1 + df(g))) over the N training texts, and 0 for what none of them holds.
    An n-gram has the row of E that its hash names (Weinberger et al. 2009); E begins with zeros.

    Args:
        scene: gives the training texts, whose document frequencies df are counted.
        dim: D.
        order: longest n-grams, in words.
        buckets: rows of E; n-grams that fall into one are not told apart.
        dropout: share of the n-grams dropped.

    Shapes:
        inputs["text"] (B, T) ids → values (B, T, D)
    """

    idf: Tensor

    def __init__(
        self, scene: Scene, dim: int, *, order: Layers = 2, buckets: Rows = 1 << 18, dropout: ShareBelow1 = 0.0
    ) -> None:
        super().__init__(scene, dim)
        self.order, self.buckets = order, buckets
        train = scene.splits["train"]
        self.register_buffer("idf", self.inverse_frequencies(train.inputs["text"][train.present]))
        self.embedding = nn.Embedding(buckets, dim, padding_idx=PAD)
        nn.init.zeros_(self.embedding.weight)
        self.dropout = nn.Dropout(dropout)

    def ngrams(self, tokens: Tensor) -> Tensor:
        """The row of E of each n-gram by the place where it begins; 0 where it would reach over the end.

        (B, T) → (B, T, order)
        """
        hashed, rows = torch.zeros_like(tokens), []
        for length in range(self.order):
            following = nn.functional.pad(tokens, (0, length))[:, length:]
            hashed = hashed * FACTOR + following
            rows.append((hashed % (self.buckets - 1) + 1).masked_fill(following == PAD, PAD))
        return torch.stack(rows, dim=2)

    def inverse_frequencies(self, texts: Tensor) -> Tensor:
        """idf by row of E.  # (buckets,)"""
        frequency = torch.zeros(self.buckets, dtype=torch.float64)
        for part in texts.split(AT_ONCE):
            ngrams = self.ngrams(part)
            shares = 1 / occurrences(ngrams).double()  # 1 for each text
            frequency += ngrams.flatten().bincount(shares.flatten(), minlength=self.buckets)
        frequency = frequency.round().index_fill(0, torch.tensor([PAD]), 0.0)
        return (1 + torch.log((1 + len(texts)) / (1 + frequency))).masked_fill(frequency == 0, 0.0).float()

    def weights(self, ngrams: Tensor) -> Tensor:
        """φ by occurrence; a text's n-grams have the L2 norm 1 together.  # (B, T, order)"""
        count = occurrences(ngrams).to(self.idf.dtype)
        whole = (1 + count.log()) * self.idf[ngrams]
        square = (whole * whole / count).sum(dim=(1, 2), keepdim=True)
        return whole / count / square.clamp(min=1e-12).sqrt()

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        tokens = inputs["text"]
        allow = (tokens != PAD) & present[:, None]
        ngrams = self.ngrams(tokens.masked_fill(~allow, PAD))
        weights = self.dropout(self.weights(ngrams)) * allow.sum(dim=1)[:, None, None]
        values = (weights.unsqueeze(3) * self.embedding(ngrams)).sum(dim=2)  # (B, T, D)
        return Features(values, allow)


def occurrences(ngrams: Tensor) -> Tensor:
    """tf: how often each n-gram occurs in its text.  # (B, T, order)"""
    flat = ngrams.flatten(1)
    ordered = flat.sort(dim=1).values
    count = torch.searchsorted(ordered, flat, right=True) - torch.searchsorted(ordered, flat)
    return count.view_as(ngrams)
