"""The contract of every head: a task's loss in training, and what is counted in evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from torch import Tensor, nn

from iamm.constrained import Constrained
from iamm.dataset.base import Scene, SceneBatch
from iamm.encoder.base import Features
from iamm.errors import nearest
from iamm.measure import Measure

Outputs = Mapping[str, Any]
"""What a head notes of one batch: tensors and lists with one entry an example that is present, in the batch's order."""


class AttentionMap(NamedTuple):
    """What a head looked at, for pictures.

    Shapes:
        weights: (B, H, Q, K) over the K places of the features; Q = 1 for a pooled classification
        asked: what stands beside each of the Q rows, one list an example: the class or the written tokens
    """

    weights: Tensor
    asked: list[list[str]]


class Head(Constrained, nn.Module):
    """Features → a task's loss and measures.

    Examples whose view is absent take part in neither: all models are so judged on the same examples.

    Args:
        scene: gives the classes or the vocabulary.
        dim: D.
        quality: name of the measure that validation selects by; None means the first one.

    Raises:
        ValueError: a `quality` that the head does not measure.
    """

    measures: ClassVar[tuple[Measure, ...]] = ()
    """What `measure` gives, in the order in which it is shown."""

    def __init__(self, scene: Scene, dim: int, *, quality: str | None = None) -> None:
        super().__init__()
        self.dim = dim
        names = [measure.name for measure in self.measures]
        if quality is not None and quality not in names:
            raise ValueError(f"`quality` must be a measure of the head. Found {quality}. {nearest(quality, names)}")
        self.selects = self.measures[0 if quality is None else names.index(quality)]

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        """Mean training loss of the batch, label smoothing included; 0 where no example is present.  # ()"""
        raise NotImplementedError

    def count(self, batch: SceneBatch) -> Tensor:
        """How many terms the loss is the mean of.  # ()"""
        return batch.present.sum()

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        """What this batch tells about the model: predictions, targets and likelihood, without label smoothing."""
        raise NotImplementedError

    def answers(self, features: Features) -> list[dict[str, Any]]:
        """What the head says of each example, as plain JSON: a class and its probabilities, say."""
        raise NotImplementedError

    def attention_map(self, features: Features) -> AttentionMap | None:
        """The attention behind the head's answer; None where it has none."""
        return None

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        """All batches' evidence → the value of each of `measures`, `loss` among them."""
        raise NotImplementedError

    def details(self, outputs: Sequence[Outputs]) -> Mapping[str, Any]:
        """What a result holds of the test besides the measures, as plain JSON; a `confusion` matrix is also drawn."""
        return {}


def gathered(outputs: Sequence[Outputs], key: str) -> list[Any]:
    """One list over all batches' entries of a kind."""
    return [entry for part in outputs for entry in part[key]]
