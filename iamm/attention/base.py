"""The base class of attentions: inputs, outputs and the meaning of masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from iamm.attention.state import AttentionState
from iamm.constrained import Constrained


class AttentionOutput(NamedTuple):
    """The context (B, Q, D); the weights (B, H, Q, K), if requested; the state, if there is one."""

    context: Tensor
    weights: Tensor | None
    state: AttentionState | None


class Call(NamedTuple):
    """The checked arguments of `Attention.forward`."""

    query: Tensor
    key: Tensor | None
    value: Tensor | None
    allow: Tensor | None
    key_allow: Tensor | None
    bias: Tensor | None
    causal: bool
    state: AttentionState | None
    need_weights: bool

    @property
    def to_memory(self) -> bool:
        """Whether the query reads a fixed memory, which has keys and values."""
        return self.state is not None and self.state.fixed

    @property
    def pairwise(self) -> bool:
        """Whether single pairs are masked or biased."""
        return self.allow is not None or self.bias is not None


class Attention(Constrained, nn.Module):
    """context_q = Σ_k w_qk value_k: each query reads a weighted sum of the values that it may attend to.

    Padding belongs in `key_allow`: its values, even NaN, reach no real output and no gradient. `allow` and `causal`
    hide finite values only, since other queries may attend to the hidden keys.

    Args:
        dim: D, the width of query, key, value and context.
    """

    heads = 1
    """H, the number of heads."""

    no_causal = ""
    """The reason why this attention cannot be causal, as a decoder needs; empty if it can."""

    no_pairwise = ""
    """The reason why `allow` and `bias` are not supported; empty if they are."""

    mixes_memory = False
    """Whether positions of a separate memory are mixed before the query reads them, so that a position allowed by
    `allow` carries values of hidden ones.
    """

    limits_from = ""
    """The argument whose attention determines heads and limits of this one; empty if it has its own."""

    equal_heads: ClassVar[Sequence[str]] = ()
    """Arguments whose attentions must have the same number of heads."""

    single_head: ClassVar[Sequence[str]] = ()
    """Arguments whose attentions must have one head."""

    reads_segments = False
    """True where the memory is read in segments, so that an inner attention that mixes them is not causal."""

    growth = 2
    """Exponent of T in the time of self-attention over T places."""

    sums_to_one = True
    """Whether the weights of a query sum to 1, if its normaliser and its pattern agree."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def head_weights(self) -> list[Tensor]:
        """Views (H, …) of the weights that each head has for itself, without the parts' own; none of one head."""
        return []

    def project_value(self, value: Tensor) -> Tensor:
        """Project the values: (B, K, D) → (B, H, K, E)."""
        raise NotImplementedError

    def merge(self, context: Tensor) -> Tensor:
        """Merge the heads: (B, H, Q, E) → (B, Q, D)."""
        raise NotImplementedError

    def hold(self, key: Tensor, value: Tensor, key_allow: Tensor | None, *, fixed: bool) -> AttentionState:
        """Make the state of keys and values (B, K, D) whose padding is zero."""
        raise NotImplementedError

    def remember(self, key: Tensor, value: Tensor | None = None, *, key_allow: Tensor | None = None) -> AttentionState:
        """Project a memory once, for many later queries: `forward(query, state=…)`."""
        return self.hold(*clear_padding(key, value, key_allow), key_allow, fixed=True)

    def empty_state(self, query: Tensor) -> AttentionState:
        """Make a past of length zero, for the start of incremental decoding. query: (B, any, D)."""
        none = query[:, :0]
        return self.hold(none, none, None, fixed=False)

    def memory_of(self, call: Call) -> tuple[Tensor, AttentionState]:
        """Give the query, with padding cleared in self-attention, and the state that it attends to."""
        if call.state is not None and call.state.fixed:
            return call.query, call.state
        if call.key is not None:
            return call.query, self.remember(call.key, call.value, key_allow=call.key_allow)
        query, value = clear_padding(call.query, call.value, call.key_allow)
        new = self.hold(query, value, call.key_allow, fixed=False)
        return query, new if call.state is None else call.state.joined(new)

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
            key_allow: bool (B, K); True = a real token. With a growing state: the mask of the new keys.
            bias: float, (Q, K) or broadcastable to (B, H, Q, K), finite, added to the scores.
            causal: a query attends only to keys up to its position; positions continue those in `state`.
            state: a memory from `remember`, or the past: at first `empty_state`, then the state of the last call.
            need_weights: also return the weights, for which `merge(weights @ project_value(value))` is the context.

        Raises:
            TypeError: a mask that is not boolean, a bias that is.
            ValueError: a mask of the wrong shape; `causal` with a separate key or a fixed memory; a key beside a state;
                an argument that the variant does not support.
        """
        require_bool("allow", allow)
        require_float("bias", bias)
        require_fitting(key, value, key_allow, causal, state)
        return self.answer(Call(query, key, value, allow, key_allow, bias, causal, state, need_weights))

    def answer(self, call: Call) -> AttentionOutput:
        """Compute the result of `forward`."""
        raise NotImplementedError


def require_bool(name: str, mask: Tensor | None) -> None:
    """Refuse a mask that is not boolean, which some libraries add to the scores and others multiply."""
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError(f"`{name}` must be boolean, True = may attend. Found {mask.dtype}: compare it first.")


def require_axes(name: str, tensor: Tensor | None) -> None:
    """Refuse three axes, which could mean (H, Q, K) or (B, Q, K)."""
    if tensor is not None and tensor.dim() not in (2, 4):
        raise ValueError(
            f"`{name}` must be (Q, K) or (B, H, Q, K). Found {tensor.dim()} axes: write all four, 1 where shared."
        )


def require_pairs(name: str, tensor: Tensor | None, shape: tuple[int, int, int, int]) -> None:
    """Refuse a tensor that is not broadcastable to (B, H, Q, K)."""
    if tensor is None:
        return
    require_axes(name, tensor)
    if any(size not in (1, full) for size, full in zip(tensor.shape[::-1], shape[::-1], strict=False)):
        raise ValueError(f"`{name}` must be broadcastable to (B, H, Q, K) = {shape}. Found {tuple(tensor.shape)}.")


def require_same_batch(query: Tensor, key: Tensor) -> None:
    """Refuse queries and keys of different batch sizes, which only some kernels would broadcast."""
    if query.shape[0] != key.shape[0]:
        raise ValueError(f"Queries and keys must be as many. Found B={query.shape[0]} and {key.shape[0]}: expand one.")


def require_float(name: str, bias: Tensor | None) -> None:
    """Refuse a boolean bias, which would add 1 where a mask is meant."""
    if bias is not None and not bias.is_floating_point():
        raise TypeError(f"`{name}` must be of a float type. Found {bias.dtype}: a mask goes to `allow`.")


def require_fitting(
    key: Tensor | None,
    value: Tensor | None,
    key_allow: Tensor | None,
    causal: bool,
    state: AttentionState | None,
) -> None:
    """Refuse arguments that would be ignored: a state has its own keys, and only self-attention can be causal."""
    fixed = state is not None and state.fixed
    if causal and (fixed or key is not None):
        memory = "a fixed memory" if fixed else "a separate `key`"
        raise ValueError(f"`causal` needs keys at the query's own positions. Found {memory}: drop one of the two.")
    if state is not None and key is not None:
        raise ValueError("A state brings its own keys. Found `key` beside it: drop one of the two.")
    if fixed and (value is not None or key_allow is not None):
        raise ValueError("A fixed memory brings its own values and mask. Found `value` or `key_allow`: see `remember`.")


def clear_padding(key: Tensor, value: Tensor | None, key_allow: Tensor | None) -> tuple[Tensor, Tensor]:
    """Set padded rows to zero: since 0 · NaN is NaN, a mask on the scores alone would not hide a NaN."""
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
