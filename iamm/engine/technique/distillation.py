"""Distillation: a model learns from the answers of a finished run's model, its teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from iamm.engine.evaluate import Batch
from iamm.errors import BadDataError
from iamm.soft_targets import SoftTargets, attended_places


class Distillation:
    """Adds a teacher's answers to each training batch; see `SoftTargets` for the loss.

    The teacher reads the same inputs, augmented as the model's, without dropout.

    Args:
        teacher: a `SceneNetwork` of the same scenes, on the same device; it is not trained.
        address: `run`, the name of the teacher's folder, and `sha256` of its model.
        temperature, share, attention: T, α and β.
    """

    def __init__(
        self, teacher: Any, address: dict[str, str], *, temperature: float, share: float, attention: float
    ) -> None:
        self.teacher = teacher.train(False)
        self.address = address
        self.weights = (temperature, share, attention)

    def taught(self, batch: Batch) -> Batch:
        """The batch with the teacher's answers."""
        answers = self.teacher.teaching(batch)
        return {name: part._replace(soft=self.soft_targets(*answers[name])) for name, part in batch.items()}

    def soft_targets(self, logits: Tensor, values: Tensor) -> SoftTargets:
        return SoftTargets(logits, attended_places(values), *self.weights)

    def state_dict(self) -> dict[str, str]:
        return self.address

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Check that the teacher is the same.

        Raises:
            BadDataError: its model differs.
        """
        if state["sha256"] != self.address["sha256"]:
            raise BadDataError(
                f"A run goes on with the teacher that it began with. Found {self.address['run']} changed: bring its "
                "model back, or start anew with rerun=true."
            )
