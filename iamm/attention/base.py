"""The contract of every attention: what goes in, what comes out, what a mask means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class AttentionState:
    """Projected keys and values that outlive one call.

    Shapes:
        key: (B, H, K, E), value: (B, H, K, E), key_allow: (B, K) bool or None
        fixed: True for a memory that does not grow (the source of a translation), False for a decoder's own past.
    """

    key: Tensor
    value: Tensor
    key_allow: Tensor | None
    fixed: bool

    def kept(self, rows: Tensor) -> AttentionState:
        """As `select`, for rows in ascending order without repeats; nothing is copied where all stay."""
        return self if len(rows) == self.key.shape[0] else self.select(rows)

    def select(self, rows: Tensor) -> AttentionState:
        """The same state for some rows, in their order (beams reordered, finished rows dropped). rows: (N,) int64."""
        allow = None if self.key_allow is None else self.key_allow.index_select(0, rows)
        return AttentionState(self.key.index_select(0, rows), self.value.index_select(0, rows), allow, self.fixed)


class AttentionOutput(NamedTuple):
    """context (B, Q, D); weights (B, H, Q, K) where they were asked for; state where there is one."""

    context: Tensor
    weights: Tensor | None
    state: AttentionState | None


def require_bool(name: str, mask: Tensor | None) -> None:
    """A float mask would be added to the scores by some libraries and multiplied by others: refused here."""
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError(f"`{name}` must be boolean, True = may attend. Found {mask.dtype}: compare it first.")


def require_axes(name: str, tensor: Tensor | None) -> None:
    """Three axes would be read as (H, Q, K) where most who write them mean (B, Q, K): refused, not guessed."""
    if tensor is not None and tensor.dim() not in (2, 4):
        raise ValueError(
            f"`{name}` must be (Q, K) or (B, H, Q, K). Found {tensor.dim()} axes: write all four, 1 where shared."
        )


def require_fitting(
    key: Tensor | None,
    value: Tensor | None,
    key_allow: Tensor | None,
    causal: bool,
    state: AttentionState | None,
) -> None:
    """What would have to be ignored is refused: a state has its own keys, and only the query's own keys are causal."""
    fixed = state is not None and state.fixed
    if causal and (fixed or key is not None):
        found = "a fixed memory" if fixed else "a separate `key`"
        raise ValueError(f"`causal` needs keys at the query's own positions. Found {found}: drop one of the two.")
    if state is not None and key is not None:
        raise ValueError("A state brings its own keys. Found `key` beside it: drop one of the two.")
    if fixed and (value is not None or key_allow is not None):
        raise ValueError("A fixed memory brings its own values and mask. Found `value` or `key_allow`: see `remember`.")


def masked_softmax(scores: Tensor, allow: Tensor | None) -> Tensor:
    """softmax over the last axis among the allowed places; a row without any is all zeros, with finite gradients."""
    if allow is None:
        return functional.softmax(scores, dim=-1)
    lowest = torch.finfo(scores.dtype).min  # not -inf, whose softmax over a whole row is NaN
    weights = functional.softmax(scores.masked_fill(~allow, lowest), dim=-1)
    return weights.masked_fill(~allow, 0.0)


class Attention(nn.Module):
    """context_q = Σ_k softmax_k(score(query_q, key_k) + bias_qk) value_k, over the places that q may see.

    A variant is this class with some of its parts replaced: `project_query`, `project_key`, `project_value` (what is
    compared and what is carried), `score` (how), `merge` (what becomes of the heads). Each but `score` defaults to the
    identity with one head.

    Padding belongs in `key_allow`: what stands there, be it NaN, reaches no real output and no gradient. `allow` and
    `causal` hide finite values only, since what one query may not see another may.

    Args:
        dim: D, the width of query, key, value and context.
        dropout: share of the weights that is dropped in training; the weights handed out are those before dropout.

    Raises:
        ValueError: `dropout` outside [0, 1).
    """

    heads = 1
    """H, how many patterns of weights there are."""

    def __init__(self, dim: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"`dropout` must lie in [0, 1). Found {dropout}.")
        self.dim = dim
        self.dropout = dropout

    def project_query(self, query: Tensor) -> Tensor:
        return query.unsqueeze(1)  # (B, 1, Q, D)

    def project_key(self, key: Tensor) -> Tensor:
        return key.unsqueeze(1)  # (B, 1, K, D)

    def project_value(self, value: Tensor) -> Tensor:
        return value.unsqueeze(1)  # (B, 1, K, D)

    def score(self, query: Tensor, key: Tensor) -> Tensor:
        """Projected queries (B, H, Q, E) against projected keys (B, H, K, E).  # (B, H, Q, K)"""
        raise NotImplementedError

    def merge(self, context: Tensor) -> Tensor:
        """Heads back into one width: (B, H, Q, E) → (B, Q, H·E)."""
        return context.transpose(1, 2).flatten(2)

    def remember(self, key: Tensor, value: Tensor | None = None, *, key_allow: Tensor | None = None) -> AttentionState:
        """A memory projected once, for many later queries: `forward(query, state=…)`."""
        key, value = clear_padding(key, value, key_allow)
        return self._projected(key, value, key_allow, fixed=True)

    def empty_state(self, query: Tensor) -> AttentionState:
        """A past of length zero, to begin incremental decoding with. query: (B, any, D)."""
        none = query[:, :0]
        return self._projected(none, none, None, fixed=False)

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        *,
        allow: Tensor | None = None,
        key_allow: Tensor | None = None,
        bias: Tensor | None = None,
        causal: bool = False,
        state: AttentionState | None = None,
        need_weights: bool = False,
    ) -> AttentionOutput:
        """Attend.

        Args:
            query: (B, Q, D)
            key: (B, K, D); None means the keys of the state where that is fixed, else the query (self-attention).
            value: (B, K, D); None means the key.
            allow: bool, (Q, K) or broadcastable to (B, H, Q, K); True = may attend.
            key_allow: bool (B, K); True = a real token. With a growing state: that of the new keys.
            bias: float, (Q, K) or broadcastable to (B, H, Q, K), finite, added to the scores.
            causal: a query sees keys up to its own position only; positions go on from those in `state`.
            state: a memory from `remember`, or the past: `empty_state`, then what the last call returned.
            need_weights: also return the weights, for which `merge(weights @ project_value(value))` is the context.

        Raises:
            TypeError: a mask that is not boolean.
            ValueError: a mask of the wrong shape; `causal` with a separate key or a fixed memory; a key beside a state.
        """
        require_bool("allow", allow)
        require_axes("allow", allow)
        require_axes("bias", bias)
        require_fitting(key, value, key_allow, causal, state)
        if key is None and not (state is not None and state.fixed):
            query, value = clear_padding(query, value, key_allow)
        memory = self._memory(query, key, value, key_allow, state)
        allowed = combined_mask(query.shape[1], memory, allow, causal)
        scores = self.score(self.project_query(query), memory.key)  # (B, H, Q, K)
        weights = masked_softmax(scores if bias is None else scores + bias, allowed)
        kept = functional.dropout(weights, self.dropout, self.training)
        context = self.merge(kept.to(memory.value.dtype) @ memory.value)  # (B, Q, D)
        return AttentionOutput(context, weights if need_weights else None, memory if state is not None else None)

    def _memory(
        self,
        query: Tensor,
        key: Tensor | None,
        value: Tensor | None,
        key_allow: Tensor | None,
        state: AttentionState | None,
    ) -> AttentionState:
        """The projected keys and values of this call: a memory, the query's own, or the past with those behind it."""
        if state is not None and state.fixed:
            return state
        if key is not None:
            return self.remember(key, value, key_allow=key_allow)
        own = self._projected(query, query if value is None else value, key_allow, fixed=False)
        return own if state is None else joined(state, own)

    def _projected(self, key: Tensor, value: Tensor, key_allow: Tensor | None, *, fixed: bool) -> AttentionState:
        return AttentionState(self.project_key(key), self.project_value(value), key_allow, fixed)


def clear_padding(key: Tensor, value: Tensor | None, key_allow: Tensor | None) -> tuple[Tensor, Tensor]:
    """Zero the padded rows: 0 · NaN is NaN, so a mask over the scores alone would let a NaN through."""
    value = key if value is None else value
    if key_allow is None:
        return key, value
    require_bool("key_allow", key_allow)
    if key_allow.shape != key.shape[:2]:
        raise ValueError(
            f"`key_allow` must be (B, K), as the keys are. Found {tuple(key_allow.shape)} for keys {tuple(key.shape)}."
        )
    padding = ~key_allow.unsqueeze(-1)  # (B, K, 1)
    cleared = key.masked_fill(padding, 0.0)
    return cleared, cleared if value is key else value.masked_fill(padding, 0.0)


def joined(past: AttentionState, new: AttentionState) -> AttentionState:
    """The past with the new keys and values behind it; a mask where either has one."""
    key = torch.cat((past.key, new.key), dim=2)  # (B, H, K, E)
    value = torch.cat((past.value, new.value), dim=2)  # (B, H, K, E)
    if past.key_allow is None and new.key_allow is None:
        return AttentionState(key, value, None, fixed=False)
    key_allow = torch.cat((explicit_allow(past), explicit_allow(new)), dim=1)  # (B, K)
    return AttentionState(key, value, key_allow, fixed=False)


def explicit_allow(state: AttentionState) -> Tensor:
    """Its `key_allow`, all True where it has none.  # (B, K)"""
    if state.key_allow is not None:
        return state.key_allow
    return state.key.new_ones(state.key.shape[0], state.key.shape[2], dtype=torch.bool)


def combined_mask(queries: int, memory: AttentionState, allow: Tensor | None, causal: bool) -> Tensor | None:
    """`allow`, `key_allow` and causality as one mask, broadcastable to (B, H, Q, K); None where all may be seen."""
    masks = [] if allow is None else [allow]
    if memory.key_allow is not None:
        masks.append(memory.key_allow[:, None, None, :])  # (B, 1, 1, K)
    if causal and queries > 1:
        position = torch.arange(memory.key.shape[2], device=memory.key.device)
        masks.append(position <= position[-queries:, None])  # (Q, K)
    return reduce(and_, masks) if masks else None
