"""The techniques of a training: what is done beside its losses, weighting and optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from iamm.engine.evaluate import Network
from iamm.engine.technique.averaging import Average


@dataclass(frozen=True)
class Techniques:
    """The techniques of one training, None for each that it does without; a part of each checkpoint."""

    average: Average | None = None

    def end_step(self, model: nn.Module, progress: float, *, epoch_ends: bool) -> None:
        """Act on the weights after an optimizer step; the arguments are those of `Average.end_step`."""
        if self.average is not None:
            self.average.end_step(model, progress, epoch_ends=epoch_ends)

    def evaluated(self, model: Network) -> Network:
        """The model that is validated and saved: the average, once there is one."""
        return self.average.module if self.average is not None and self.average.n_averaged else model

    def state_dict(self) -> dict[str, Any]:
        return {} if self.average is None else {"average": self.average.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.average is not None:
            self.average.load_state_dict(state["average"])
