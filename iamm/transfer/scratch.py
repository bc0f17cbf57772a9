"""The bar of every transfer: training on the target's few labels alone."""

from __future__ import annotations

from iamm.constraints import Count, Positive
from iamm.transfer.fine_tune import FineTuneTransfer


class ScratchTransfer(FineTuneTransfer):
    """Training of all parameters from their initialisation, by the seed of the run, instead of the source model's.

    Without labels it answers as an untrained model. Its vocabulary is that of the known scenes, as for every transfer.

    Args:
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples a step; fewer where there are fewer.
    """

    begins_from_source = False

    def __init__(self, *, steps: Count = 200, rate: Positive = 3e-3, batch: Count = 64) -> None:
        super().__init__(parameters=["*"], steps=steps, rate=rate, batch=batch)
