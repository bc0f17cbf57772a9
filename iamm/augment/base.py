"""The base class of augmentations, which map a batch to a batch, each example independently."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from iamm.augment.randomness import example_keys
from iamm.constrained import Constrained
from iamm.dataset.base import Scene


class Augment(Constrained, ABC):
    """The augmentation of an example is a function of (seed, epoch, index) only.

    It does not depend on the rest of the batch, its size or order, nor on any global random state. A subclass defines
    `kind`, `field` and `apply`; with all strengths at 0 `apply` returns the same tensor object.
    """

    kind: ClassVar[str]
    """The kind of scenes, `image` or `text`, as in `Scene.kind`; it also separates the kinds' random numbers."""

    field: ClassVar[str]
    """The kind of the inputs that it changes, as in `Field.kind`."""

    learns: bool = False
    """Whether `learn` is to be called in training, which changes `tables`."""

    tables: dict[str, NDArray[np.int64]]

    def prepare(self, scene: Scene) -> None:
        """Prepare for a scene whose examples it is to augment.

        Raises:
            ConfigError: the scene lacks what it needs.
        """

    def learn(self, name: str, embedding: Tensor) -> None:
        """Learn from the embedding (V, D) of a scene's encoder, at the end of an epoch."""
        raise NotImplementedError

    def __call__(self, inputs: Tensor, index: Tensor, *, seed: int, epoch: int, scene: Scene | None = None) -> Tensor:
        """Augment.

        Args:
            inputs: pictures (B, channels, height, width) float32 in [0, 1], or token ids (B, T) int64, padded with 0.
            index: (B,) int64, each example's row in its data set.
            seed: the run's.
            epoch: the count of passes over the data.
            scene: of the inputs; one of texts has a vocabulary.

        Raises:
            ValueError: as many indices as examples are needed.
        """
        if index.shape != inputs.shape[:1]:
            raise ValueError(
                f"`index` needs one row an example. Found {tuple(index.shape)} for {inputs.shape[0]} examples."
            )
        return self.apply(inputs, self.keys(index, seed=seed, epoch=epoch), scene)

    def keys(self, index: Tensor, *, seed: int, epoch: int) -> NDArray[np.uint64]:
        """One key of random numbers an example.  # (B,)"""
        stream = int.from_bytes(self.kind.encode(), "big")
        return example_keys(seed, stream, epoch, index=index.cpu().numpy())

    @abstractmethod
    def apply(self, inputs: Tensor, keys: NDArray[np.uint64], scene: Scene | None) -> Tensor:
        """The work, with one key of random numbers an example. keys: (B,)."""
