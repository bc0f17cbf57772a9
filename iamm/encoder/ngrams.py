"""Texts → a linear map of the tf-idf of their words and neighbouring words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor, nn

from iamm.constraints import Layers, Number, Share, ShareBelow1
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

    With κ > 0, idf(g) is multiplied by ρ(g)^κ, ρ(g) = max_c |ln (p(g|c) / p(g|¬c))|, p the share of a class's training
    texts that hold g, with one text with g and one without added: the n-grams that tell classes apart weigh more, as in
    the support vector machine on naive Bayes features (Wang and Manning 2012, κ = 1, binary counts, two classes).

    Args:
        scene: gives the training texts, whose document frequencies df are counted.
        dim: D.
        order: longest n-grams, in words.
        buckets: rows of E; n-grams that fall into one are not told apart.
        naive_bayes: κ; 0 reads no class.
        dropout: share of the n-grams dropped.

    Shapes:
        inputs["text"] (B, T) ids → values (B, T, D)

    Raises:
        ValueError: κ > 0, and the training texts have no two classes.
    """

    importance: Tensor

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        order: Layers = 2,
        buckets: Rows = 1 << 18,
        naive_bayes: Share = 0.0,
        dropout: ShareBelow1 = 0.0,
    ) -> None:
        super().__init__(scene, dim)
        self.order, self.buckets = order, buckets
        train = scene.splits["train"]
        texts = train.inputs["text"][train.present]
        count = self.text_counts(texts)
        importance = (1 + torch.log((1 + len(texts)) / (1 + count))).masked_fill(count == 0, 0.0).float()  # idf
        if naive_bayes:
            targets = train.targets[train.present]
            if not scene.classes or len(targets.unique()) < 2:
                raise ValueError(
                    f"Naive Bayes needs training texts of two classes. Found no two in {scene.name} (a shared encoder "
                    "has them where all its scenes have the same classes): set encoder.text.naive_bayes=0."
                )
            importance *= self.class_ratios(texts, targets, count) ** naive_bayes
        self.register_buffer("importance", importance)
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

    def text_counts(self, texts: Tensor) -> Tensor:
        """df: the number of texts that hold an n-gram, by row of E.  # (buckets,)"""
        count = torch.zeros(self.buckets, dtype=torch.float64)
        for part in texts.split(AT_ONCE):
            ngrams = self.ngrams(part)
            shares = 1 / occurrences(ngrams).double()  # 1 for each text
            count += ngrams.flatten().bincount(shares.flatten(), minlength=self.buckets)
        return count.round().index_fill(0, torch.tensor([PAD]), 0.0)

    def class_ratios(self, texts: Tensor, targets: Tensor, count: Tensor) -> Tensor:
        """ρ by row of E, from df of all texts, `count`.  # (buckets,)"""
        ratios = torch.zeros(self.buckets, dtype=torch.float64)
        for label in targets.unique():
            own = texts[targets == label]
            held = self.text_counts(own)
            inside = (held + 1) / (len(own) + 2)
            outside = (count - held + 1) / (len(texts) - len(own) + 2)
            ratios = torch.maximum(ratios, (inside / outside).log().abs())
        return ratios.float()

    def weights(self, ngrams: Tensor) -> Tensor:
        """φ by occurrence; a text's n-grams have the L2 norm 1 together.  # (B, T, order)"""
        count = occurrences(ngrams).to(self.importance.dtype)
        whole = (1 + count.log()) * self.importance[ngrams]
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
