"""The head for classification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import OneOf, ShareBelow1
from iamm.dataset.base import Scene, SceneBatch
from iamm.encoder.base import Features, present_mean
from iamm.head.base import Outputs, distilled, gathered
from iamm.head.pooled import Norm, PooledHead
from iamm.head.ranking import auc, average_precision, ranked
from iamm.measure import LOSS, Measure


class ClassifierHead(PooledHead):
    """p = softmax(W · pool(x) + b); loss −log p(class).

    Measures: accuracy; precision, recall and F1, each the plain mean over the classes that occur among targets or
    predictions (macro; 0 where a class is never predicted); average precision, Σ (R_n − R_{n−1}) P_n, and the area
    under the ROC curve, in which a tie counts half, each the plain mean over the classes that occur among targets, of
    one class against the rest; calibration, the expected calibration error (Guo et al. 2017, eq. 3); loss in nats an
    example. A class that every target has is left out of the AUC, which is 0.5 where no class remains.

    Args:
        scene: gives the classes.
        dim: D.
        attention: a partial that takes `dim`, pools the places with a learnt query; None means their mean.
        norm: as of `PooledHead`.
        dropout: share dropped of the pooled vector.
        label_smoothing: ε, the target is 1 − ε on the class and ε/C on all (Szegedy et al. 2016).
        quality: name of the measure that validation selects by.
    """

    measures = (
        Measure("accuracy"),
        Measure("precision"),
        Measure("recall"),
        Measure("f1"),
        Measure("average_precision"),
        Measure("auc"),
        Measure("calibration", lower_is_better=True),
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
        label_smoothing: ShareBelow1 = 0.0,
        quality: Annotated[
            str, OneOf(("accuracy", "precision", "recall", "f1", "average_precision", "auc", "calibration", "loss"))
        ] = "accuracy",
    ) -> None:
        super().__init__(
            scene, dim, len(scene.classes), attention=attention, norm=norm, dropout=dropout, quality=quality
        )
        self.classes = scene.classes
        self.label_smoothing = label_smoothing

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        scores = self.scores(features)
        each = functional.cross_entropy(scores, batch.targets, label_smoothing=self.label_smoothing, reduction="none")
        return distilled(present_mean(each, batch.present), scores[batch.present], features, batch)

    def term_logits(self, features: Features, batch: SceneBatch) -> Tensor:
        return self.scores(features)[batch.present]  # (n, C)

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        return judged(self.scores(features)[batch.present], batch.targets[batch.present])

    def averaged(self, versions: Sequence[tuple[float, Outputs]]) -> Outputs:
        """By the mean of the logits, each up to a constant."""
        logits = torch.stack([weight * outputs["log_probabilities"] for weight, outputs in versions]).sum(0)  # (n, C)
        return judged(logits, torch.tensor(versions[0][1]["target"]))

    def predictions(self, features: Features) -> Tensor:
        return self.scores(features).double().softmax(1)  # (B, C)

    def answers(self, features: Features) -> list[dict[str, Any]]:
        probabilities = self.predictions(features)
        return [
            {"class": self.classes[label], "probabilities": dict(zip(self.classes, row, strict=True))}
            for label, row in zip(probabilities.argmax(1).tolist(), probabilities.tolist(), strict=True)
        ]

    def labels(self, features: Features) -> list[str]:
        return [self.classes[index] for index in self.scores(features).argmax(1).tolist()]

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        """Precision, recall and F1 are means over the classes that are a target or predicted, where 0/0 is 0."""
        confusion, scores, targets = self.gathered(outputs)
        each = class_scores(confusion)[:, confusion.sum(0) + confusion.sum(1) > 0]
        precision, recall, f1 = each.mean(dim=1).tolist()
        ranking = class_rankings(scores, targets)
        return {
            "accuracy": float(confusion.diagonal().sum() / len(targets)),
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "average_precision": mean([values["average_precision"] for values in ranking.values()]),
            "auc": mean([values["auc"] for values in ranking.values() if "auc" in values] or [0.5]),
            "calibration": calibration_error(scores, targets),
            "loss": float(torch.tensor(gathered(outputs, "nll"), dtype=torch.float64).mean()),
        }

    def details(self, outputs: Sequence[Outputs]) -> dict[str, Any]:
        """The confusion matrix, a row for each target and a column for each prediction, and measures for each class.

        A class without targets has no average precision and no AUC; a class of all targets has no AUC.
        """
        confusion, scores, targets = self.gathered(outputs)
        ranking, each = class_rankings(scores, targets), class_scores(confusion).T.tolist()
        counts = confusion.long().sum(dim=1).tolist()
        return {
            "confusion": confusion.long().tolist(),
            "classes": {
                name: {**dict(zip(("precision", "recall", "f1"), each[label], strict=True)), "count": counts[label]}
                | ranking.get(label, {})
                for label, name in enumerate(self.classes)
            },
        }

    def gathered(self, outputs: Sequence[Outputs]) -> tuple[Tensor, Tensor, Tensor]:
        """The confusion matrix (C, C), log-probabilities (N, C) and targets (N,) of all examples."""
        predicted, target = (torch.tensor(gathered(outputs, name)) for name in ("predicted", "target"))
        scores = torch.cat([part["log_probabilities"] for part in outputs])
        classes = scores.shape[1]
        pairs = torch.bincount(target * classes + predicted, minlength=classes**2)
        return pairs.view(classes, classes).double(), scores, target


def judged(logits: Tensor, targets: Tensor) -> dict[str, Any]:
    """The outputs for n examples, of logits (n, C) and targets (n,)."""
    scores = logits.double().log_softmax(1)  # in float32, logarithms tie less often than probabilities
    return {
        "predicted": logits.argmax(1).tolist(),
        "target": targets.tolist(),
        "nll": functional.nll_loss(scores, targets, reduction="none").tolist(),
        "log_probabilities": scores.detach().float().cpu(),  # (n, C)
    }


def calibration_error(scores: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Σ_m |B_m|/N · |accuracy(B_m) − mean confidence(B_m)|, B_m the examples with (m − 1)/M < confidence ≤ m/M.

    The confidence is the largest probability. (Guo et al. 2017, eq. 3, with their M = 15.)

    Shapes:
        scores: (N, C), log-probabilities
        targets: (N,) < C
    """
    confidence, predicted = scores.double().exp().nan_to_num().max(dim=1)
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = confidence.new_zeros(bins).index_add_(0, index, (predicted == targets).double() - confidence)
    return float(gaps.abs().sum() / len(targets))


def class_scores(confusion: Tensor) -> Tensor:
    """Precision, recall and F1 of each class, where 0/0 is 0.

    Shapes:
        confusion: (C, C), counts of each target and prediction
        returns (3, C)
    """
    hits, target, predicted = confusion.diagonal(), confusion.sum(dim=1), confusion.sum(dim=0)
    return torch.stack((hits / predicted, hits / target, 2 * hits / (predicted + target))).nan_to_num(0.0)


def class_rankings(scores: Tensor, targets: Tensor) -> dict[int, dict[str, float]]:
    """Average precision and AUC of each class among the targets: how well its scores rank its examples first.

    Shapes:
        scores: (N, C); one that is no number counts as 0, and the loss shows that it was none
        targets: (N,) < C
    """
    scores, rankings = scores.nan_to_num(), {}
    for label in targets.unique().tolist():
        order = ranked(scores[:, label].numpy(), (targets == label).numpy())
        rankings[label] = {"average_precision": average_precision(order)}
        if order.both:
            rankings[label]["auc"] = auc(order)
    return rankings
