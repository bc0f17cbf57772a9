"""Named penalties, which are minimised together with the scenes' losses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

Penalties = Mapping[str, Tensor]
"""Name → scalar, weighted by a key of the module. Penalties of one name are summed."""


class Penalised:
    """A module with a penalty on its parameters: a part of an attention, an encoder, a fusion or a head.

    The penalty is added once per optimizer step, also with accumulated batches, outside the rule that weighs the
    scenes' losses. A penalty that depends on a batch's examples belongs to `iamm.fusion.base.Fused`.
    """

    def penalties(self) -> Penalties:
        """Give the penalties, which depend on parameters alone."""
        raise NotImplementedError


def summed(parts: Iterable[Penalties]) -> dict[str, Tensor]:
    """Give the sum of the penalties of each name."""
    total: dict[str, Tensor] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total[name] + value if name in total else value
    return total
