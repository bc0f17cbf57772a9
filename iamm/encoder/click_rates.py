"""Behaviours → how often the candidate and the user click."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from iamm.constraints import Count, Positive
from iamm.dataset.base import Scene
from iamm.encoder.base import Encoder, Features


class ClickRatesEncoder(Encoder):
    """x_0 = logit r(candidate) − logit r, x_1 = logit r(user) − logit r in every channel, r(i) = (k_i + mr)/(n_i + m).

    n_i is the number of training examples of i, k_i that of its clicks, and r the rate of all. With a linear head: a
    logistic regression on the means of items and users. No history is read; an item or a user without an example has
    x = 0.

    Args:
        scene: gives the items and the clicks.
        dim: D.
        users: number of users with a rate; numbers from there on have none.
        prior: m, the number of examples of the mean rate that are added to each item and user.

    Shapes:
        inputs["candidate"] and inputs["user"] (B,) → values (B, 2, D)

    A training example counts in its own rates.
    """

    items: Tensor
    users: Tensor

    def __init__(self, scene: Scene, dim: int, *, users: Count = 1000, prior: Positive = 10.0) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        train = scene.splits["train"]
        clicked = train.targets[train.present]
        item, user = (train.inputs[name][train.present] for name in ("candidate", "user"))
        self.register_buffer("items", log_odds(item, clicked, len(scene.source), prior))
        self.register_buffer("users", log_odds(user[user < users], clicked[user < users], users + 1, prior))

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        known = inputs["user"].clamp(max=len(self.users) - 1)
        rates = torch.stack((self.items[inputs["candidate"]], self.users[known]), dim=1)  # (B, 2)
        allow = present[:, None].expand(-1, 2)
        return Features((rates * allow).unsqueeze(-1).expand(-1, -1, self.dim), allow)


def log_odds(index: Tensor, clicked: Tensor, count: int, prior: float) -> Tensor:
    """logit r(i) − logit r of `count` items; index and clicked (N,), r by Laplace's rule.  # (count,)"""
    shown = torch.bincount(index, minlength=count).float()
    clicks = torch.bincount(index, clicked.float(), minlength=count).float()
    mean = (clicks.sum() + 1) / (shown.sum() + 2)
    return torch.logit((clicks + prior * mean) / (shown + prior)) - torch.logit(mean)
