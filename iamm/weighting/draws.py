"""Random numbers of a weighting, which a resumed run repeats."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class Draws(nn.Module):
    """A series of generators, each from the seed and its number; the number of the next one is the only state.

    The numbers are independent of dropout and augmentation, and the same in all processes.

    Args:
        seed: of the run.
    """

    PURPOSE = 1_996_811  # keeps these streams apart from others of the same seed

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.taken: Tensor
        self.register_buffer("taken", torch.zeros((), dtype=torch.int64))

    def generator(self) -> np.random.Generator:
        generator = np.random.default_rng((self.seed << 64) + (self.PURPOSE << 32) + int(self.taken))
        self.taken += 1
        return generator
