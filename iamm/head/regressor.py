"""The head for regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor

from iamm.attention.base import Attention
from iamm.constraints import OneOf, ShareBelow1
from iamm.dataset.base import Scene, SceneBatch
from iamm.encoder.base import Features, present_mean
from iamm.head.base import Outputs, gathered
from iamm.head.pooled import Norm, PooledHead
from iamm.measure import LOSS, Measure


class RegressorHead(PooledHead):
    """ŷ = μ + σ s, s = w · pool(x) + b; loss (s − (y − μ) / σ)².

    μ and σ are the mean and the deviation √(Σ (y − μ)² / n) of the training targets (σ = 1 where all are equal), so the
    loss of predicting μ is 1, whatever the unit. They are stored with the model.

    Measures: R² = 1 − Σ (ŷ − y)² / Σ (y − ȳ)², ȳ the mean of the targets of the split that is measured, so 0 is as good
    as their mean and less is worse; where these are all equal, R² is 1 of a perfect prediction and 0 of another, as in
    scikit-learn. In the target's unit, the root mean squared error (RMSE) √(Σ (ŷ − y)² / n) and the mean absolute error
    (MAE) Σ |ŷ − y| / n. The mean loss of an example.

    Args:
        scene: its training targets (N,) are numbers.
        dim: D.
        attention: a partial that takes `dim`, pools the places with a learnt query; None means their mean.
        norm: as of `PooledHead`.
        dropout: share dropped of the pooled vector.
        quality: name of the measure that validation selects by.
    """

    measures = (
        Measure("r2", "raw"),
        Measure("rmse", "raw", lower_is_better=True),
        Measure("mae", "raw", lower_is_better=True),
        LOSS,
    )

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        attention: Callable[..., Attention] | None = None,
        norm: Norm = True,
        dropout: ShareBelow1 = 0.1,
        quality: Annotated[str, OneOf(("r2", "rmse", "mae", "loss"))] = "r2",
    ) -> None:
        super().__init__(scene, dim, 1, attention=attention, norm=norm, dropout=dropout, quality=quality)
        train = scene.splits["train"]
        targets = train.targets[train.present].double()
        deviation = targets.std(correction=0)
        self.mean: Tensor
        self.register_buffer("mean", targets.mean())  # μ
        self.deviation: Tensor
        self.register_buffer("deviation", torch.where(deviation > 0, deviation, 1.0))  # σ

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        standardised = (batch.targets - self.mean) / self.deviation
        each = (self.scores(features).squeeze(1) - standardised).square()  # (B,), float64
        return present_mean(each, batch.present)

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        predictions, targets = self.predictions(features)[batch.present], batch.targets[batch.present]
        return {"predicted": predictions.tolist(), "target": targets.tolist()}

    def averaged(self, versions: Sequence[tuple[float, Outputs]]) -> Outputs:
        predicted = sum(weight * torch.tensor(part["predicted"], dtype=torch.float64) for weight, part in versions)
        return {"predicted": torch.as_tensor(predicted).tolist(), "target": versions[0][1]["target"]}

    def predictions(self, features: Features) -> Tensor:
        return self.mean + self.deviation * self.scores(features).squeeze(1).double()  # (B,)

    def answers(self, features: Features) -> list[dict[str, Any]]:
        return [{"number": number} for number in self.predictions(features).tolist()]

    def labels(self, features: Features) -> list[str]:
        return [f"{number:.4g}" for number in self.predictions(features).tolist()]

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        found = errors(*evidence(outputs))
        return {**found, "loss": (found["rmse"] / float(self.deviation)) ** 2}

    def details(self, outputs: Sequence[Outputs]) -> dict[str, Any]:
        """What predicting the mean of training would measure on the same examples."""
        _, target = evidence(outputs)
        return {"baseline": {"number": float(self.mean), **errors(self.mean.cpu().expand_as(target), target)}}


def evidence(outputs: Sequence[Outputs]) -> tuple[Tensor, Tensor]:
    """Predictions (N,) and targets (N,) of all batches, in float64."""
    predicted, target = (torch.tensor(gathered(outputs, key), dtype=torch.float64) for key in ("predicted", "target"))
    return predicted, target


def errors(predicted: Tensor, target: Tensor) -> dict[str, float]:
    """R², RMSE and MAE of predictions (N,) of targets (N,)."""
    error = predicted - target
    squared, spread = error.square().mean(), target.var(correction=0)
    r2 = 1 - squared / spread if (target != target[0]).any() else (squared == 0).double()
    return {"r2": float(r2), "rmse": float(squared.sqrt()), "mae": float(error.abs().mean())}
