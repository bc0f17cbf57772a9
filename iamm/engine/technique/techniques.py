"""The techniques of a training: what is done beside its losses, weighting and optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from iamm.engine.evaluate import Network
from iamm.engine.technique.averaging import Average
from iamm.engine.technique.pruning import FULL, Pruning


@dataclass(frozen=True)
class Techniques:
    """The techniques of one training, None for each that it does without; a part of each checkpoint."""

    average: Average | None = None
    pruning: Pruning | None = None

    def end_step(self, model: nn.Module, progress: float, *, epoch_ends: bool) -> None:
        """Act on the weights after an optimizer step; the arguments are those of `Average.end_step`."""
        if self.pruning is not None:
            self.pruning.end_step(progress)
        if self.average is not None:
            self.average.end_step(model, progress, epoch_ends=epoch_ends)

    def evaluated(self, model: Network) -> Network:
        """The model that is validated and saved: the average, once there is one."""
        return self.average.module if self.average is not None and self.average.n_averaged else model

    def ready(self, progress: float) -> bool:
        """Whether validation may choose the model: not before it is as sparse as it is to be."""
        return self.pruning is None or progress >= FULL

    def values(self) -> dict[str, float]:
        """What logs and the result hold of them."""
        return {} if self.pruning is None else {"sparsity": self.pruning.sparsity}

    def state_dict(self) -> dict[str, Any]:
        parts = {"average": self.average, "pruning": self.pruning}
        return {name: part.state_dict() for name, part in parts.items() if part is not None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        if self.pruning is not None:
            self.pruning.load_state_dict(state["pruning"])
