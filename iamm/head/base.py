"""The base class of heads: a task's loss in training, and its measures in evaluation."""

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
"""A head's outputs for one batch: tensors and lists with an entry for each present example, in the batch's order."""


class AttentionMap(NamedTuple):
    """The attention of a head, for figures.

    Shapes:
        weights: (B, H, Q, K) over the K places of the features; Q = 1 for a pooled classification
        queries: labels of the Q rows, a list for each example: the class or the written tokens
    """

    weights: Tensor
    queries: list[list[str]]


class Head(Constrained, nn.Module):
    """A head maps features to a task's loss and measures.

    Examples whose view is absent count in neither, so all models are compared on the same examples.

    Args:
        scene: gives the classes, the vocabulary, or the training targets.
        dim: D.
        quality: name of the measure that validation selects by; None means the first one.

    Raises:
        ValueError: `quality` is not a measure of the head.
    """

    decodes_with: ClassVar[Sequence[str]] = ()
    """Arguments that take an attention: with the first that is given a decoder reads what it has written."""

    measures: ClassVar[tuple[Measure, ...]] = ()
    """Measures that `measure` returns, in the order of display."""

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

    def term_logits(self, features: Features, batch: SceneBatch) -> Tensor:
        """The logits of the n terms of a loss that is a cross-entropy of C classes, for distillation.  # (n, C)"""
        raise NotImplementedError

    def count(self, batch: SceneBatch) -> Tensor:
        """The number of terms over which the loss is a mean.  # ()"""
        return batch.present.sum()

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        """Predictions, targets and likelihoods of this batch, without label smoothing."""
        raise NotImplementedError

    def averaged(self, versions: Sequence[tuple[float, Outputs]]) -> Outputs:
        """The outputs of a batch by the mean answer to several versions of its inputs.

        Args:
            versions: the weight of each, with its outputs; the sum of the weights is 1.
        """
        raise NotImplementedError

    def predictions(self, features: Features) -> Tensor:
        """The answer for each example as one tensor (B, …), where the head gives it in one pass."""
        raise NotImplementedError

    def answers(self, features: Features) -> list[dict[str, Any]]:
        """The answer for each example as plain JSON, such as a class and the probabilities of all, or a number."""
        raise NotImplementedError

    def attention_map(self, features: Features) -> AttentionMap | None:
        """The attention of the head; None if it has none."""
        return None

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        """The value of each of `measures`, from the outputs of all batches."""
        raise NotImplementedError

    def details(self, outputs: Sequence[Outputs]) -> Mapping[str, Any]:
        """Further values for the result, as plain JSON; a `confusion` matrix is also drawn."""
        return {}


def distilled(loss: Tensor, logits: Tensor, features: Features, batch: SceneBatch) -> Tensor:
    """The loss, mixed with the distance to a teacher's answers where the batch has them; logits as `term_logits`."""
    return loss if batch.soft is None else batch.soft.mixed(loss, logits, features.real)


def gathered(outputs: Sequence[Outputs], key: str) -> list[Any]:
    """The entries of one key of all batches, in one list."""
    return [entry for part in outputs for entry in part[key]]
