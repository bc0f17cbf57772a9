"""The linear pattern: attention by sums over all keys."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import Normaliser, highest, widened
from iamm.pattern.base import Attend, Sight
from iamm.pattern.blocks import Blocks
from iamm.pattern.full import FullPattern
from iamm.score.base import Score

CHUNK = 64
"""Places between two sums of a causal pass: all pairs within a chunk, and the sum over the past before it."""

NOTHING = -1e30
"""Stands for the logarithm of 0; far below that of any feature, and finite, so that differences are too."""


class LinearPattern(FullPattern):
    """context_q = φ(q)ᵀ (Σ_k φ(k) v_kᵀ) / φ(q)ᵀ Σ_k φ(k): the weights of `full`, never formed.

    The score must be an inner product φ(q)ᵀφ(k) of positive features, as their logarithms, and the normaliser the
    plain sum, so that the sums over keys can be computed first. Sums have at least float32.

    Features of any size hold: what all keys have in common is moved to the query, what a query's features have in
    common is left out (`balanced`). Causal, a row whose keys are all e^{−87} times smaller than a later one is zero.

    Cost: O(T·D·E) time, E = D/H, and O(T·D) memory; causal in chunks, with one stored sum for each. Where pairs are
    cheaper (Q·K ≤ (Q + K)·E: short sequences, a single query) and for weights on request, `allow` or `bias`, the
    computation is that of `full`, with the same numbers in O(Q·K·D) time. So a step of incremental decoding costs
    O(T·D): the state holds all places. Faster than a softmax over all pairs from about T = 200 on, causal 350 (D = 256,
    four heads, one CPU thread).

    Raises:
        ValueError: another score or normaliser.

    Source: Katharopoulos et al. 2020, eq. 5, 6 and 9, in chunks rather than place by place. Padding counts in neither
    of the two sums.
    """

    growth = 1
    needs_kernel = True
    no_dropout = "it never forms the weights that would be dropped"

    def check(self, score: Score, normaliser: Normaliser) -> None:
        if not (score.log_features and normaliser.needs_positive):
            parts = f"{type(score).__name__} and {type(normaliser).__name__}"
            raise ValueError(
                f"A linear `pattern` needs a positive inner product and its plain sum. Found {parts}: choose "
                "score=kernel and normaliser=sum, or another pattern."
            )

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        if sight.bias is None:  # which is added to the unchanged scores
            query, key = balanced(query, key, sight.key_allow)
        if need_weights or sight.pairwise or pairs_are_cheaper(query, key, sight.causal):
            return super().forward(attend, query, key, value, sight, need_weights=need_weights)
        with torch.autocast(query.device.type, enabled=False):
            context = linear(query.exp(), key.exp(), widened(value), sight.causal)
            return context.to(value.dtype), None  # (B, H, Q, E)


def pairs_are_cheaper(query: Tensor, key: Tensor, causal: bool) -> bool:
    """Whether `full` is faster, by the number of pairs; in an exported program of unknown lengths, whether causal."""
    if torch.compiler.is_exporting():
        return causal
    queries, keys = query.shape[2], key.shape[2]
    return queries * keys <= (queries + keys) * query.shape[3]


def balanced(query: Tensor, key: Tensor, key_allow: Tensor | None) -> tuple[Tensor, Tensor]:
    """Logarithms of features, the largest of each query and of each column of keys near 0; padding is at −∞, or nearly.

    With m_f = max_k ln φ(k)_f, φ(q)ᵀφ(k) = Σ_f φ(q)_f e^{m_f} · φ(k)_f e^{−m_f}, and any factor of the query alone
    cancels in its shares. No gradient runs through what cancels.
    """
    if key_allow is not None:
        key = key.masked_fill(~key_allow[:, None, :, None], NOTHING)
    largest = highest(key.detach().mT).mT.clamp(min=NOTHING / 2)  # (B, H, 1, F)
    query = query + (largest - highest(largest))
    return query - highest(query.detach()), key - largest


def linear(query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
    """Compute numerator and denominator together, by a column of ones after the values."""
    value = torch.cat((value, value.new_ones(*value.shape[:-1], 1)), dim=-1)  # (B, H, K, E + 1)
    both = causal_sums(query, key, value) if causal else query @ (key.transpose(-2, -1) @ value)
    above, below = both[..., :-1], both[..., -1:]  # (B, H, Q, E), (B, H, Q, 1)
    return above / below.masked_fill(below < torch.finfo(below.dtype).tiny, 1.0)


def causal_sums(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Σ_{k ≤ q} (φ(q)ᵀφ(k)) v_k, where the queries are the last of the keys' places.  # (B, H, Q, E)"""
    past = key.shape[2] - query.shape[2]
    before = key[:, :, :past].transpose(-2, -1) @ value[:, :, :past]  # (B, H, F, E)
    chunks = Blocks(query.shape[2], 0, CHUNK)
    query, key, value = chunks.queries(query), chunks.keys(key[:, :, past:]), chunks.keys(value[:, :, past:])
    sums = (key.transpose(-2, -1) @ value).unflatten(0, (len(before), chunks.count))  # (B, n, H, F, E)
    earlier = torch.cat((before[:, None], sums[:, :-1]), dim=1).cumsum(dim=1).flatten(0, 1)  # (B·n, H, F, E)
    within = (query @ key.transpose(-2, -1)).tril() @ value  # (B·n, H, chunk, E)
    return chunks.context(query @ earlier + within)
