"""Migration by learning: all parameters of the model, or those of some parts, are trained on a few labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import nn

from iamm.constraints import Count, ListOf, Positive, Text
from iamm.engine.freezing import matches
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import LearningTransfer, Material, matching

Patterns = Annotated[Sequence[str], ListOf(Text())]


class FineTuneTransfer(LearningTransfer):
    """Training of the parameters whose names match, from those of the known scenes; the head is not begun anew.

    Args:
        parameters: patterns of names, as in `freeze` of a phase; `*` is all.
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples a step; fewer where there are fewer.
    """

    def __init__(self, *, parameters: Patterns, steps: Count = 50, rate: Positive = 1e-3, batch: Count = 64) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)
        self.patterns = tuple(parameters)

    def check(self, model: SceneNetwork, material: Material) -> None:
        self.trained(model, material)

    def trained(self, model: SceneNetwork, material: Material) -> list[nn.Parameter]:
        chosen = matching(model, lambda name: any(matches(name, pattern) for pattern in self.patterns))
        if not chosen:
            shown = ", ".join(self.patterns)
            raise ValueError(
                f"`transfer.parameters` must name parameters. Found {shown}, which match none: see `freeze`."
            )
        return chosen
