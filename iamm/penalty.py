"""What is minimised beside the scenes' losses, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

Penalties = Mapping[str, Tensor]
"""Name → scalar, weighted by its own key. What several places call by one name is summed."""


class Penalised:
    """A module with a price on its parameters: a part of an attention, an encoder, a fusion or a head.

    It is paid once for each optimizer step, whatever is accumulated, outside the rule that weighs the scenes' losses.
    What depends on a batch's examples is a penalty of `iamm.fusion.base.Fused`.
    """

    def penalties(self) -> Penalties:
        """Functions of parameters alone."""
        raise NotImplementedError


def summed(parts: Iterable[Penalties]) -> dict[str, Tensor]:
    """The sum of what has one name."""
    total: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total[name] + value if name in total else value
    return total
