"""The linear pattern: attention by sums over all keys."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.normaliser.base import Normaliser, widened
from iamm.pattern.base import Attend, Sight
from iamm.pattern.blocks import Blocks
from iamm.pattern.full import FullPattern
from iamm.score.base import Score

CHUNK = 64
"""Places between two sums of a causal pass: within a chunk all pairs are met, before it the sum of the past is."""


class LinearPattern(FullPattern):
    """context_q = φ(q)ᵀ (Σ_k φ(k) v_kᵀ) / φ(q)ᵀ Σ_k φ(k): the weights of `full`, never formed.

    The score must be an inner product φ(q)ᵀφ(k) that is never negative, and the normaliser the plain sum: only these
    let the sums over keys be taken first. Sums are kept in at least float32.

    Cost: O(T·D·E) time, E = D/H, and O(T·D) memory; causal in chunks, with one sum for each kept. Where pairs are
    cheaper (Q·K ≤ (Q + K)·E: short sequences, a single query) and for weights on request, `allow` or `bias`, the way of
    `full` is gone, with the same numbers in O(Q·K·D) time. So a step of incremental decoding costs O(T·D): the past is
    kept place by place. Faster than a softmax over all pairs from about T = 200 on, causal 350 (D = 256, four heads,
    one CPU thread).

    Raises:
        ValueError: another score or normaliser.

    Source: Katharopoulos et al. 2020, eq. 5, 6 and 9, in chunks rather than place by place. Padding counts in neither
    of the two sums.
    """

    growth = 1
    needs_kernel = True
    no_dropout = "it never forms the weights that would be dropped"

    def check(self, score: Score, normaliser: Normaliser) -> None:
        if not (score.inner_product and score.positive and normaliser.needs_positive):
            found = f"{type(score).__name__} and {type(normaliser).__name__}"
            raise ValueError(
                f"A linear `pattern` needs a positive inner product and its plain sum. Found {found}: choose "
                "score=kernel and normaliser=sum, or another pattern."
            )

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        queries, keys = query.shape[2], key.shape[2]
        if need_weights or sight.pairwise or queries * keys <= (queries + keys) * query.shape[3]:
            return super().forward(attend, query, key, value, sight, need_weights=need_weights)
        with torch.autocast(query.device.type, enabled=False):
            return linear(query, key, value, sight).to(value.dtype), None  # (B, H, Q, E)


def linear(query: Tensor, key: Tensor, value: Tensor, sight: Sight) -> Tensor:
    """Numerator and denominator in one go: the values have a column of ones behind them."""
    query, key, value = widened(query), widened(key), widened(value)
    if sight.key_allow is not None:
        key = key.masked_fill(~sight.key_allow[:, None, :, None], 0.0)  # φ(0) is not 0
    value = torch.cat((value, value.new_ones(*value.shape[:-1], 1)), dim=-1)  # (B, H, K, E + 1)
    both = causal_sums(query, key, value) if sight.causal else query @ (key.transpose(-2, -1) @ value)
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
