"""Hierarchical attention: words are pooled into sentences, sentences into the document."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from iamm.attention.base import (
    Attention,
    AttentionOutput,
    Call,
    require_pairs,
    require_same_batch,
)
from iamm.attention.state import AttentionState
from iamm.constraints import Width
from iamm.pattern.base import Sight


class HierarchicalAttention(Attention):
    """context_q = Σ_i β_qi s_qi, s_qi = Σ_{k in i} α_qk v_k: the memory is cut into segments i ("sentences") of
    `length` places ("words"), `word` weighs the places of each segment (α) and `sentence` the segments (β).

    The weight of a place is β_q,i(k) · α_qk. A segment without an allowed place is hidden from `sentence`. A
    `bias` is added to the scores of the places, and its largest value among a segment's visible places to the segment's
    score, because a softmax over the places alone cancels what all of them share.

    The states hold unprojected keys and values (one head, E = D), which are read anew at each step, because the
    segments' vectors depend on the query. So a decoder's step costs as much as pooling its past, with projections.
    Both inner attentions read a separate memory: a score of relative positions gets no distances.
    The weights explain the context only if `sentence` is linear in its values: a gate belongs around `word` or around
    the whole. Dropout inside `word` changes the keys of `sentence`, and so β and the returned weights in training.

    Args:
        dim: D, the width of query, key, value and context.
        word: a partial of an Attention of one head that takes `dim`; `hierarchical` again gives a third level.
        sentence: a partial of an Attention of one head that takes `dim`.
        length: L, places of a segment; the last one may be shorter.

    Shapes:
        query (B, Q, D), key and value (B, K, D) → context (B, Q, D), weights (B, 1, Q, K)

    Raises:
        ValueError: inner attentions of several heads; `length` below 1; `causal` with a `word` that cannot be causal.

    Cost: with N = K/L, O(K·D² + Q·N·D² + Q·K·D) time and O(K·D + Q·N·D) memory, times the hidden width where the score
    has one (additive: O(Q·K·F)). Pooling T places with one query costs O(T·D²); self-attention over T places T².

    Source: Yang et al. 2016, eq. 5–7 (words) and 8–10 (sentences); u_it = tanh(W_w h_it + b_w), α_it ∝ exp(u_itᵀ u_w)
    is the additive score, where W q stands for b_w. Ours differs: segments of a fixed length instead of marked
    sentences; no recurrent network over the words nor over the sentences' vectors (the encoder's work); the query is
    the caller's, the same at both levels, instead of the learnt u_w and u_s (in pooling it is learnt).
    """

    limits_from = "word"
    single_head = ("word", "sentence")
    reads_segments = True

    def __init__(
        self, dim: int, *, word: Callable[..., Attention], sentence: Callable[..., Attention], length: Width = 4
    ) -> None:
        super().__init__(dim)
        self.length = length
        self.word = word(dim)
        self.sentence = sentence(dim)
        if (self.word.heads, self.sentence.heads) != (1, 1):
            raise ValueError(
                "`word` and `sentence` must have one head each. "
                f"Found {self.word.heads} and {self.sentence.heads}: choose attentions of one head, such as additive."
            )
        mixing = "`word` lets the places of a segment gather from later ones" if self.word.mixes_memory else ""
        self.no_pairwise = self.word.no_pairwise
        self.no_causal = self.word.no_causal or self.word.no_pairwise or mixing
        self.mixes_memory = self.word.mixes_memory

    def project_value(self, value: Tensor) -> Tensor:
        return self.word.project_value(value)  # (B, 1, K, E)

    def merge(self, context: Tensor) -> Tensor:
        return self.sentence.merge(self.sentence.project_value(self.word.merge(context)))  # (B, Q, D)

    def hold(self, key: Tensor, value: Tensor, key_allow: Tensor | None, *, fixed: bool) -> AttentionState:
        return AttentionState(key.unsqueeze(1), value.unsqueeze(1), key_allow, fixed)  # (B, 1, K, D)

    def answer(self, call: Call) -> AttentionOutput:
        if call.causal and self.no_causal:
            raise ValueError(f"This attention cannot be causal: {self.no_causal}. Choose another `word`.")
        query, memory = self.memory_of(call)
        require_same_batch(query, memory.key)
        shape = (query.shape[0], 1, query.shape[1], memory.length)
        require_pairs("allow", call.allow, shape)
        require_pairs("bias", call.bias, shape)
        sight = Sight(memory.length - query.shape[1], call.allow, causal=call.causal)
        allow = sight.mask(query.unsqueeze(1), memory.key)
        context, weights = self._read(query, memory, allow, call.bias, call.need_weights)
        return AttentionOutput(context, weights, memory if call.state is not None else None)

    def _read(
        self, query: Tensor, memory: AttentionState, allow: Tensor | None, bias: Tensor | None, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Read with `word`, where each segment is an example, then with `sentence`, where each query is one."""
        batch, queries = query.shape[:2]
        count = -(-memory.length // self.length)  # N
        key, value = (self._cut(places.squeeze(1), count) for places in (memory.key, memory.value))  # (B·N, L, D)
        real = self._cut(memory.explicit_allow(), count)  # (B·N, L)
        allow, bias = (
            None if pairs is None else self._cut_pairs(pairs.expand(batch, 1, queries, memory.length), count)
            for pairs in (allow, bias)
        )  # (B·N, 1, Q, L)
        words = self.word(
            query.repeat_interleave(count, dim=0),  # (B·N, Q, D)
            key,
            value,
            allow=allow,
            key_allow=real,
            bias=bias,
            need_weights=need_weights,
        )
        visible = real[:, None, None] if allow is None else real[:, None, None] & allow  # (B·N, 1, 1 or Q, L)
        visible = visible.expand(-1, -1, queries, -1)  # (B·N, 1, Q, L)
        sentences = self.sentence(
            query.flatten(0, 1).unsqueeze(1),  # (B·Q, 1, D)
            by_query(words.context, batch, count),  # (B·Q, N, D)
            key_allow=by_query(visible.any(-1).squeeze(1), batch, count),  # (B·Q, N)
            bias=None if bias is None else by_query(largest(bias, visible).squeeze(1), batch, count)[:, None, None],
            need_weights=need_weights,
        )
        context = sentences.context.squeeze(1).unflatten(0, (batch, queries))  # (B, Q, D)
        if words.weights is None or sentences.weights is None:
            return context, None
        inside = words.weights.unflatten(0, (batch, count)).movedim(1, 3)  # (B, 1, Q, N, L)
        among = sentences.weights.squeeze(2).unflatten(0, (batch, queries)).transpose(1, 2)  # (B, 1, Q, N)
        return context, (among.unsqueeze(-1) * inside).flatten(3)[..., : memory.length]  # (B, 1, Q, K)

    def _cut(self, places: Tensor, count: int) -> Tensor:
        """Cut into segments, the last one padded with zeros: (B, K, …) → (B·N, L, …)"""
        short = count * self.length - places.shape[1]
        filled = functional.pad(places, (0, 0) * (places.dim() - 2) + (0, short))  # (B, N·L, …)
        return filled.unflatten(1, (count, self.length)).flatten(0, 1)

    def _cut_pairs(self, pairs: Tensor, count: int) -> Tensor:
        """Cut the keys of pairs into segments: (B, 1, Q, K) → (B·N, 1, Q, L)"""
        return self._cut(pairs.movedim(-1, 1), count).movedim(1, -1)


def by_query(each: Tensor, batch: int, count: int) -> Tensor:
    """Make each query an example: (B·N, Q, …) → (B·Q, N, …)"""
    return each.unflatten(0, (batch, count)).transpose(1, 2).flatten(0, 1)


def largest(bias: Tensor, visible: Tensor) -> Tensor:
    """Give the largest bias of the visible places, or the lowest number: (B·N, 1, Q, L) → (B·N, 1, Q)"""
    return bias.masked_fill(~visible, torch.finfo(bias.dtype).min).amax(-1)
