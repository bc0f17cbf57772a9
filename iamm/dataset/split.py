"""The examples of one split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """N examples of one scene. An absent view has an empty input; its target is stored, but never used.

    Shapes:
        inputs: by name, as the scene's fields declare: pictures (N, channels, height, width) uint8, say
        targets: as the scene's target field declares: classes (N,) int64, numbers (N,) float64, or tokens (N, T) int64:
            BOS … EOS, padded
        present: (N,) bool, False where this view of the instance is missing
    """

    inputs: Mapping[str, Tensor]
    targets: Tensor
    present: Tensor

    def __len__(self) -> int:
        return len(self.present)

    def __iter__(self) -> Iterator[Tensor]:
        return iter((*self.inputs.values(), self.targets, self.present))

    def rows(self, rows: Tensor) -> Split:
        """Some of the examples, in the order of `rows`."""
        return Split(picked(self.inputs, rows), self.targets[rows], self.present[rows])


def picked(inputs: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    """The given rows of every field."""
    return {name: values[rows] for name, values in inputs.items()}
