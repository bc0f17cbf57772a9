"""The contract of every augmentation: a whole batch in, a whole batch out, each example on its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from iamm.augment.randomness import example_keys
from iamm.constrained import Constrained


class Augment(Constrained, ABC):
    """What happens to an example is a function of (seed, epoch, index) alone.

    It does not depend on the batch-mates, on the batch's size or order, nor on any global random state. A variant gives
    `kind`, `field` and `apply`; with all strengths at 0 `apply` returns the very same tensor.
    """

    kind: ClassVar[str]
    """The scenes it is for: `image` or `text`, as in `Scene.kind`. Also keeps the kinds' random numbers apart."""

    field: ClassVar[str]
    """The kind of the inputs that it changes, as in `Field.kind`."""

    def __call__(
        self, inputs: Tensor, index: Tensor, *, seed: int, epoch: int, vocabulary: int | None = None
    ) -> Tensor:
        """Augment.

        Args:
            inputs: pictures (B, channels, height, width) float32 in [0, 1], or token ids (B, T) int64, padded with 0.
            index: (B,) int64, each example's row in its data set.
            seed: the run's.
            epoch: the count of passes over the data.
            vocabulary: V, how many ids there are, where the inputs are text.

        Raises:
            ValueError: as many indices as examples are needed.
        """
        if index.shape != inputs.shape[:1]:
            raise ValueError(
                f"`index` needs one row an example. Found {tuple(index.shape)} for {inputs.shape[0]} examples."
            )
        stream = int.from_bytes(self.kind.encode(), "big")
        keys = example_keys(seed, stream, epoch, index=index.cpu().numpy())
        return self.apply(inputs, keys, vocabulary)

    @abstractmethod
    def apply(self, inputs: Tensor, keys: NDArray[np.uint64], vocabulary: int | None) -> Tensor:
        """The work, with one key of random numbers an example. keys: (B,)."""
