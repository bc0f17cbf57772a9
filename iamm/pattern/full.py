"""The full pattern: each query attends to all keys."""

from __future__ import annotations

from torch import Tensor

from iamm.pattern.base import Attend, Pattern, Sight


class FullPattern(Pattern):
    """All Q·K pairs in one block.

    Cost: O(Q·K·D) time, O(Q·K) memory (O(Q + K) with a fused kernel): T² for self-attention over T places.
    """

    full_apart = True

    def forward(
        self, attend: Attend, query: Tensor, key: Tensor, value: Tensor, sight: Sight, *, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        return attend(
            query,
            key,
            value,
            allow=sight.mask(query, key),
            bias=sight.bias,
            distance=sight.distance(query, key),
            need_weights=need_weights,
        )
