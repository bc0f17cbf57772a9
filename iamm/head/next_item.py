"""The next item of a history, among all items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import OneOf
from iamm.dataset.base import Scene, SceneBatch
from iamm.dataset.vocabulary import UNKNOWN
from iamm.encoder.base import Features, Pool, present_mean
from iamm.head.base import AttentionMap, Head, Outputs, gathered
from iamm.head.ranking import FIRST
from iamm.measure import LOSS, Measure


class NextItemHead(Head):
    """p = softmax(W h + b) over all V items, h the history: all places but 0, pooled; loss −log p(candidate).

    Only clicks have a next item: rows that were passed count in neither loss nor measures. The candidate is the answer,
    so nothing in front of this head may read it: `item_sequence` with `passes_candidate=false` does not pass it on.

    Measures: the mean over clicks of NDCG, 1/log₂(1 + r), and of the hit rate, 1, where the candidate's rank r among
    all V items is 10 at most, else 0; items with the same score stand in front of it. Items of the history are ranked
    like all others, and an item that no training example has counts as `<unk>`. Loss in nats a click.

    Args:
        scene: gives the items.
        dim: D.
        attention: a partial that takes `dim`, pools the history with a learnt query; None means the mean.
        quality: name of the measure that validation selects by.

    Source: Kang, McAuley 2018, eq. 6, with a softmax over all items in place of one negative (Klenitskiy, Vasilev
    2023). Ours differ: W is no part of the encoder's table, and an item has a bias.
    """

    measures = (Measure("ndcg_10"), Measure("hit_rate_10"), LOSS)

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        attention: Callable[..., Attention] | None = None,
        quality: Annotated[str, OneOf(("ndcg_10", "hit_rate_10", "loss"))] = "ndcg_10",
    ) -> None:
        super().__init__(scene, dim, quality=quality)
        assert scene.source is not None
        self.items = [scene.source.piece(index) for index in range(len(scene.source))]
        self.pool = Pool(dim, attention)
        self.output = nn.Linear(dim, len(self.items))

    def history(self, features: Features) -> Features:
        return Features(features.values[:, 1:], features.allow[:, 1:])

    def scores(self, features: Features) -> Tensor:
        """W h + b; −∞ for the ids in front of `<unk>`, which are no items.  # (B, V)"""
        pooled, _ = self.pool(self.history(features))
        no_item = torch.arange(len(self.items), device=pooled.device) < UNKNOWN
        return self.output(pooled).masked_fill(no_item, -torch.inf)

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        answers, counted = batch.inputs["candidate"], clicks(batch)
        each = functional.cross_entropy(self.scores(features), answers.where(counted, UNKNOWN), reduction="none")
        return present_mean(each, counted)

    def count(self, batch: SceneBatch) -> Tensor:
        return clicks(batch).sum()

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        counted = clicks(batch)
        scores, answers = self.scores(features)[counted].double(), batch.inputs["candidate"][counted]
        ranked = scores.nan_to_num()
        return {
            "rank": (ranked >= ranked.gather(1, answers[:, None])).sum(dim=1).tolist(),
            "nll": functional.cross_entropy(scores, answers, reduction="none").tolist(),
        }

    def predictions(self, features: Features) -> Tensor:
        return self.scores(features).double().softmax(dim=1)  # (B, V)

    def answers(self, features: Features) -> list[dict[str, Any]]:
        """The first ten items and their probabilities, as two lists."""
        best, items = self.predictions(features).topk(min(FIRST, len(self.items) - UNKNOWN), dim=1)
        return [
            {"items": [self.items[item] for item in row], "probabilities": shares}
            for row, shares in zip(items.tolist(), best.tolist(), strict=True)
        ]

    def attention_map(self, features: Features) -> AttentionMap | None:
        _, weights = self.pool(self.history(features), need_weights=True)
        if weights is None:
            return None
        first = [[self.items[item]] for item in self.scores(features).argmax(dim=1).tolist()]
        return AttentionMap(functional.pad(weights, (1, 0)).unsqueeze(2), first)  # (B, H, 1, 1 + T)

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        rank = torch.tensor(gathered(outputs, "rank"), dtype=torch.float64)
        if not len(rank):  # no click, so no item to rank
            return {"ndcg_10": 0.0, "hit_rate_10": 0.0, "loss": 0.0}
        hit = (rank <= FIRST).double()
        nll = torch.tensor(gathered(outputs, "nll"), dtype=torch.float64)
        return {
            "ndcg_10": float((hit / torch.log2(1 + rank)).mean()),
            "hit_rate_10": float(hit.mean()),
            "loss": float(nll.mean()),
        }


def clicks(batch: SceneBatch) -> Tensor:
    """Mark the examples that are clicks.  # (B,) bool"""
    return batch.present & (batch.targets > 0)
