"""The techniques of a training: what is done beside its losses, weighting and optimizer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from iamm.engine.evaluate import Batch, Network
from iamm.engine.technique.adversarial import Attack
from iamm.engine.technique.averaging import Average
from iamm.engine.technique.distillation import Distillation
from iamm.engine.technique.pruning import FULL, Pruning
from iamm.engine.technique.synonyms import LearntSynonyms


@dataclass(frozen=True)
class Techniques:
    """The techniques of one training, None for each that it does without; a part of each checkpoint."""

    attack: Attack | None = None
    average: Average | None = None
    distillation: Distillation | None = None
    pruning: Pruning | None = None
    synonyms: LearntSynonyms | None = None

    def taught(self, batch: Batch) -> Batch:
        """A training batch, with the answers of a teacher if there is one."""
        return batch if self.distillation is None else self.distillation.taught(batch)

    def attacked(self, model: Network, batches: Sequence[Batch]) -> AbstractContextManager[None]:
        """The attack on a share of the training examples, while the model reads them."""
        return nullcontext() if self.attack is None else self.attack.on(model, batches, self.attack.share)

    def end_step(self, model: Network, progress: float, *, epoch_ends: bool) -> None:
        """Act on the weights after an optimizer step; the arguments are those of `Average.end_step`."""
        if self.pruning is not None:
            self.pruning.end_step(progress)
        if self.average is not None:
            self.average.end_step(model, progress, epoch_ends=epoch_ends)
        if self.synonyms is not None and epoch_ends:
            self.synonyms.end_epoch()

    def evaluated(self, model: Network) -> Network:
        """The model that is validated and saved: the average, once there is one."""
        return self.average.module if self.average is not None and self.average.n_averaged else model

    def ready(self, progress: float) -> bool:
        """Whether validation may choose the model: not before it is as sparse as it is to be."""
        return self.pruning is None or progress >= FULL

    def values(self) -> dict[str, float]:
        """Their values at this step, for logs."""
        return {} if self.pruning is None else {"sparsity": self.pruning.sparsity}

    def outcome(self) -> dict[str, Any]:
        """What a result holds of them."""
        return {**self.values(), **({} if self.distillation is None else {"distill": self.distillation.address})}

    def parts(self) -> dict[str, Any]:
        """Those that are there and have a state."""
        parts = {
            "average": self.average,
            "distillation": self.distillation,
            "pruning": self.pruning,
            "synonyms": self.synonyms,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
