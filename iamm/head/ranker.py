"""The probability of a click, for each candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import OneOf, ShareBelow1, Width
from iamm.dataset.base import Scene, SceneBatch
from iamm.encoder.base import Features, masked_mean, present_mean
from iamm.head.base import AttentionMap, Head, Outputs, gathered
from iamm.head.ranking import by_user, rankings
from iamm.measure import LOSS, Measure


class RankerHead(Head):
    """p = σ(s), s = w · relu(W [c ; h ; c ⊙ h]), c the candidate in place 0 and h its user's history, the other places
    pooled; loss −log p of a click, −log (1 − p) of none.

    Measures: the area under the ROC curve (AUC) of each user's own candidates, weighted by how many they are (gAUC,
    Zhou et al. 2018, eq. 7), and of all; NDCG and hit rate of the first ten of each user's candidates, the mean over
    users. Users who clicked all or none of their candidates have no order that is right, and are left out of all but
    AUC and loss. A tie counts half, or as the mean over its orders. Loss in nats an example (log loss).

    Args:
        scene: of behaviours; its input `user` says whose candidates are ranked against each other.
        dim: D.
        attention: a partial that takes `dim`, pools the history with the candidate as query (Zhou et al. 2018, §4.3,
            whose weights need not sum to one); None means the mean.
        hidden: width of the layer between; None means none: s = w · [c ; h ; c ⊙ h].
        dropout: share dropped of the layer between.
        quality: name of the measure that validation selects by.
    """

    measures = (Measure("gauc"), Measure("auc"), Measure("ndcg_10"), Measure("hit_rate_10"), LOSS)

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        attention: Callable[..., Attention] | None = None,
        hidden: Width | None = 64,
        dropout: ShareBelow1 = 0.1,
        quality: Annotated[str, OneOf(("gauc", "auc", "ndcg_10", "hit_rate_10", "loss"))] = "gauc",
    ) -> None:
        super().__init__(scene, dim, quality=quality)
        self.attention = None if attention is None else attention(dim)
        self.layers = (
            nn.Linear(3 * dim, 1)
            if hidden is None
            else nn.Sequential(nn.Linear(3 * dim, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))
        )

    def pooled(self, features: Features, *, need_weights: bool = False) -> tuple[Tensor, Tensor | None]:
        """h (B, D), zero where there is no history; the weights (B, H, 1 + T), if requested and available."""
        values, allow = features.values, features.allow.clone()
        allow[:, 0] = False
        if self.attention is None:
            return masked_mean(Features(values, allow)), None
        output = self.attention(values[:, :1], values, key_allow=allow, need_weights=need_weights)
        return output.context[:, 0], None if output.weights is None else output.weights[:, :, 0]

    def scores(self, features: Features) -> Tensor:
        candidate, (history, _) = features.values[:, 0], self.pooled(features)
        return self.layers(torch.cat((candidate, history, candidate * history), dim=1)).squeeze(1)  # (B,)

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        scores = self.scores(features)
        each = functional.binary_cross_entropy_with_logits(scores, batch.targets.to(scores.dtype), reduction="none")
        return present_mean(each, batch.present)

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        scores, targets = self.scores(features)[batch.present].double(), batch.targets[batch.present]
        return {
            "score": scores.detach().cpu(),  # (n,)
            "clicked": targets.tolist(),
            "user": batch.inputs["user"][batch.present].tolist(),
            "nll": functional.binary_cross_entropy_with_logits(scores, targets.double(), reduction="none").tolist(),
        }

    def predictions(self, features: Features) -> Tensor:
        return self.scores(features).double().sigmoid()  # (B,)

    def answers(self, features: Features) -> list[dict[str, Any]]:
        return [{"probability": probability} for probability in self.predictions(features).tolist()]

    def attention_map(self, features: Features) -> AttentionMap | None:
        _, weights = self.pooled(features, need_weights=True)
        if weights is None:
            return None
        answers = [[f"{probability:.2f}"] for probability in self.scores(features).sigmoid().tolist()]
        return AttentionMap(weights.unsqueeze(2), answers)  # (B, H, 1, 1 + T)

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        loss = torch.tensor(gathered(outputs, "nll"), dtype=torch.float64).mean()
        return {**rankings(*evidence(outputs)), "loss": float(loss)}

    def details(self, outputs: Sequence[Outputs]) -> dict[str, Any]:
        """How many users were ranked, and how many were left out for having clicked all or none."""
        both = [user.both for user in by_user(*evidence(outputs))]
        return {"users": sum(both), "users_left_out": len(both) - sum(both)}


def evidence(outputs: Sequence[Outputs]) -> tuple[Any, ...]:
    """Scores (N,), clicks (N,) bool and users (N,) of all batches, as arrays."""
    score = torch.cat([part["score"] for part in outputs]).nan_to_num()
    columns = (score, torch.tensor(gathered(outputs, "clicked")).bool(), torch.tensor(gathered(outputs, "user")))
    return tuple(column.numpy() for column in columns)
