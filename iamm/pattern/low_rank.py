"""The low-rank pattern: each query attends to a few mixtures of all keys."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.constraints import Width
from iamm.errors import ConfigError
from iamm.pattern.base import Attend, Pattern, Sight


class LongInputError(ConfigError, ValueError):
    """An input with more positions than `length`, which only the data can show."""


class LowRankPattern(Pattern):
    """context = P̃ · (F V), P̃ = normaliser(score(q(Q), E k(K))): keys and values are mixed along time into `rank` slots.

    q and k are what the score makes of each query and each key. E comes after k: under `cosine` slots are sums of unit
    vectors, of any length themselves; under `concat` the bias is weighted by a row's sum. Slots have no place in the
    sequence, so `relative_position` gets no distances.

    E and F, (rank, length), are learnt and shared by the heads; K places use their first K columns. The weights handed
    out are P̃ F, so that times the values they are the context: they may be negative, and need not sum to 1.

    Cost: O(T·rank·D) time, O(T·rank) memory, T = Q + K; weights on request take O(Q·K). Faster than `full`
    from about T = 100 on with rank 32 (D = 256, one CPU thread).

    Args:
        dim: F, the width of what the score compares.
        heads: H.
        rank: slots (paper: 128 and 256 for 512 places).
        length: the most places that an input may have.

    Raises:
        ValueError: `rank` or `length` below 1; a normaliser that cannot take negative scores.
        LongInputError: an input longer than `length`.

    Source: Wang et al. 2020 (Linformer), eq. 7, "headwise sharing", for memories apart too. E and F start with variance
    1/length, so that slots are of the size of one place.
    """

    growth = 1
    sums_to_one = False
    lowers_scores = True  # its slots mix with both signs, and so do the scores, even of a positive score
    no_causal = "its slots mix all places, later ones too"
    no_pairwise = "its slots mix all places, so that no single pair can be hidden"

    def __init__(self, dim: int, heads: int, *, rank: Width = 32, length: Width = 256) -> None:
        super().__init__(dim, heads)
        self.key_slots = nn.Parameter(torch.randn(rank, length) * length**-0.5)
        self.value_slots = nn.Parameter(torch.randn(rank, length) * length**-0.5)

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        places, length = key.shape[2], self.key_slots.shape[1]
        if places > length:
            raise LongInputError(
                f"`length` of pattern=low_rank must be at least the number of places. Found length={length}, {places} "
                "places: raise it."
            )
        padding = None if sight.key_allow is None else ~sight.key_allow[:, None, None, :]  # (B, 1, 1, K)
        key_slots, value_slots = (cleared(slots[:, :places], padding) for slots in (self.key_slots, self.value_slots))
        context, weights = attend(query, key_slots @ key, value_slots @ value, need_weights=need_weights)
        return context, None if weights is None else weights @ value_slots.to(weights.dtype)  # (B, H, Q, K)


def cleared(slots: Tensor, padding: Tensor | None) -> Tensor:
    """The mixing matrix of each example, (rank, K) or (B, 1, rank, K), zero where there is padding."""
    return slots if padding is None else slots.masked_fill(padding, 0.0)
