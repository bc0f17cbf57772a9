"""Averages of the trained weights, which are validated, tested and saved in place of the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from iamm.dataset.base import Dataset
from iamm.engine.collate import all_batches
from iamm.engine.evaluate import Batch
from iamm.engine.freezing import batch_norms, trained

BEGIN = 0.75
"""Share of the training after which the mean over epochs begins (Izmailov et al. 2018, §4.1)."""


class Average(AveragedModel):
    """θ̄, an average of the trained weights θ.

    EMA: θ̄_1 = θ_1, θ̄_t = d θ̄_(t−1) + (1 − d) θ_t after each step t (Polyak and Juditsky 1992). SWA: θ̄ is the mean of θ
    at the ends of the epochs of the last quarter of a training (Izmailov et al. 2018, alg. 1, with c = one epoch);
    before these, θ itself is evaluated.

    Buffers are those of the trained model. Only the statistics of batch norms are computed anew for an SWA, by a pass
    over the training data (alg. 1, last line). A training without batch norms needs no such pass.

    Args:
        model: trained; it is copied.
        rule: d in (0, 1) of the EMA, or `swa`.
        datasets: of the training.
        device: of the model.
    """

    module: Any

    def __init__(self, model: nn.Module, rule: float | str, datasets: Sequence[Dataset], device: torch.device) -> None:
        self.at_epochs = isinstance(rule, str)
        super().__init__(model, multi_avg_fn=None if isinstance(rule, str) else get_ema_multi_avg_fn(rule))
        self.datasets, self.device = datasets, device

    def end_step(self, model: Any, progress: float, *, epoch_ends: bool) -> None:
        """Add the trained weights to the average where they are due.

        Args:
            model: trained.
            progress: share of the training's steps that are done.
            epoch_ends: whether this step was the last one of its epoch.
        """
        if not self.at_epochs:
            self.update_parameters(model)
        elif epoch_ends and progress >= BEGIN:
            self.update_parameters(model)
            with torch.random.fork_rng():
                update_bn(self.training_batches(), self.module)
            for own, average in zip(*(batch_norms(each.modules()) for each in (model, self.module)), strict=True):
                if not trained(own.parameters()):  # its statistics are frozen, too
                    average.load_state_dict(own.state_dict())

    def training_batches(self) -> Iterator[Batch]:
        """One pass over the training data; what the model gathers for the end of a step is dropped."""
        for batch in all_batches(self.datasets, "train", self.device):
            yield batch
            self.module.end_step(applied=False)
