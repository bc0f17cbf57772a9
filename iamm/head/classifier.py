"""One class for each example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import OneOf, ShareBelow1
from iamm.dataset.base import Scene, SceneBatch
from iamm.encoder.base import Features, Pool
from iamm.head.base import AttentionMap, Head, Outputs, gathered
from iamm.measure import LOSS, Measure


class ClassifierHead(Head):
    """p = softmax(W · pool(x) + b); loss −log p(class).

    Measures: accuracy; precision, recall and F1, each the plain mean over the classes that occur among targets or
    predictions (macro; 0 where a class is never predicted); loss in nats an example.

    Args:
        scene: gives the classes.
        dim: D.
        attention: a partial that takes `dim`, pools the places with a learnt query; None means their mean.
        dropout: share dropped of the pooled vector.
        label_smoothing: ε, the target is 1 − ε on the class and ε/C on all (Szegedy et al. 2016).
        quality: name of the measure that validation selects by.
    """

    measures = (Measure("accuracy"), Measure("precision"), Measure("recall"), Measure("f1"), LOSS)

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        attention: Callable[..., Attention] | None = None,
        dropout: ShareBelow1 = 0.1,
        label_smoothing: ShareBelow1 = 0.0,
        quality: Annotated[str, OneOf(("accuracy", "precision", "recall", "f1", "loss"))] = "accuracy",
    ) -> None:
        super().__init__(scene, dim, quality=quality)
        self.classes = scene.classes
        self.label_smoothing = label_smoothing
        self.pool = Pool(dim, attention)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, len(scene.classes))

    def logits(self, features: Features) -> Tensor:
        pooled, _ = self.pool(features)
        return self.output(self.dropout(self.norm(pooled)))  # (B, C)

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        each = functional.cross_entropy(
            self.logits(features), batch.targets, label_smoothing=self.label_smoothing, reduction="none"
        )
        return (each * batch.present).sum() / batch.present.sum().clamp(min=1)

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        logits, targets = self.logits(features)[batch.present], batch.targets[batch.present]
        nll = functional.cross_entropy(logits.double(), targets, reduction="none")
        return {"predicted": logits.argmax(1).tolist(), "target": targets.tolist(), "nll": nll.tolist()}

    def attention_map(self, features: Features) -> AttentionMap | None:
        _, weights = self.pool(features, need_weights=True)
        if weights is None:
            return None
        answers = [[self.classes[index]] for index in self.logits(features).argmax(1).tolist()]
        return AttentionMap(weights.unsqueeze(2), answers)  # (B, H, 1, T)

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        from sklearn.metrics import precision_recall_fscore_support

        predicted, target = gathered(outputs, "predicted"), gathered(outputs, "target")
        precision, recall, f1, _ = precision_recall_fscore_support(target, predicted, average="macro", zero_division=0)
        hits = sum(p == t for p, t in zip(predicted, target, strict=True))
        return {
            "accuracy": hits / len(target),
            "precision": float(precision),
            "recall": float(recall),
            "f1": float(f1),
            "loss": float(torch.tensor(gathered(outputs, "nll"), dtype=torch.float64).mean()),
        }
