"""Behaviours → what a Gaussian process over items and times expects of the candidate, by the values in a history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from iamm.constraints import NotNegative, Number, Positive
from iamm.dataset.base import Scene, Split
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features

BESIDE = 2
"""Channels beside those of the items' vectors."""
ROUNDING = 1e-9
"""A vector that is shorter is 0 but for rounding."""
ROUNDS = 3
"""Rounds in which the levels of items and users are estimated in turn."""


class GaussianProcessEncoder(Encoder):
    """⟨x_0, x̄⟩ = b_c + k_cᵀ (K + λI)⁻¹ (r − μ − b), x̄ the mean of the other places: an attention by rule.

        k(i, j) = α v_iᵀv_j + ω exp(−|t_i − t_j|/τ) + κ

    r are the values of a user's history at times t, such as stars, and b the levels of its items. A value that is above
    its item's level raises what is like it: items that the same users met (v), what comes close in time (a mood, ω) and
    all items (the user's own level, κ). The inverse whitens the history: entries that are alike count once, as in
    `attention=ridge`. The candidate is x_0 = (b_c, 1, √α v_c), x_1 = (N + 1, 0, 0), and entry i of N is
    x_(1 + i) = (N + 1) a_i (0, ω exp(−|t − t_i|/τ) + κ, √α v_i), a = (K + λI)⁻¹ (r − μ − b). Nothing is learnt here.

    v_i are the D − 2 largest singular values times their vectors, of the matrix of who met what: 1/(√n_u ∜n_i) where
    user u of n_u entries met item i of n_i, whatever its value; then of unit length. b_i is the mean of the values less
    the user's level, with `prior` values at what a ridge regression on v_i, ln n_i and ln² n_i expects. Entries and
    values are those of the histories of training; where a history has no values, those of the training examples, a
    click 1 and another 0, and each entry of a history is a click. Without times, all are one.

    A log without values (`learn_items`) adds entries to v and n_i alone: an item of which no value is known has the
    level that the regression expects.

    Args:
        scene: gives the items and the examples.
        dim: D.
        likeness: α.
        mood: ω.
        hours: τ.
        level: κ.
        noise: λ, the variance of a value that nothing explains.
        prior: values that the regression counts as, in an item's level.

    Shapes:
        inputs["candidate"] (B,), inputs["history"] (B, T) ids, and where given inputs["values"], inputs["ages"] (B, T)
        → values (B, 2 + T, D), the candidate in place 0

    An item without an entry has v = 0 and the level that the regression expects of n = 0; a user without a history has
    candidates ranked by their levels. A training example counts in v and b.

    Source: Lawrence and Urtasun 2009 (a Gaussian process over items for each user); Rasmussen and Williams 2006, eq.
    2.25; Koren 2010, §3 (levels that move with time). The kernel of co-occurrence in place of learnt vectors is ours.
    """

    reads_logs = True
    vectors: Tensor
    levels: Tensor
    mean: Tensor

    def __init__(
        self,
        scene: Scene,
        dim: Annotated[int, Number(BESIDE + 1, 65_536, whole=True)],
        *,
        likeness: NotNegative = 0.2,
        mood: NotNegative = 0.3,
        hours: Positive = 0.8,
        level: NotNegative = 0.2,
        noise: Positive = 1.0,
        prior: Positive = 7.5,
    ) -> None:
        super().__init__(scene, dim)
        self.mood, self.hours, self.level, self.noise = mood, hours, level, noise
        self.likeness, self.prior = likeness, prior
        assert scene.source is not None
        for name, shape in (
            ("vectors", (len(scene.source), dim - BESIDE)),
            ("levels", len(scene.source)),
            ("mean", ()),
        ):
            self.register_buffer(name, torch.zeros(shape))
        self.learn_items(scene.splits["train"])

    def learn_items(self, train: Split, log: Split | None = None) -> None:
        user, item, value = entries(train)
        met_by, met = user, item
        if log is not None:
            more = torch.stack((log.inputs["user"], log.inputs["candidate"]))[:, log.present].numpy()
            met_by, met = np.unique(np.concatenate(((user, item), more), axis=1), axis=1)
        vectors = met_together(met_by, met, len(self.vectors), self.dim - BESIDE)
        mean, levels = item_levels(user, item, value, vectors, self.prior, met)
        self.vectors.copy_(torch.from_numpy(vectors * self.likeness**0.5))
        self.levels.copy_(torch.from_numpy(levels))
        self.mean.fill_(mean)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        candidate, items = inputs["candidate"], inputs["history"]
        allow = (items != PAD) & present[:, None]  # (B, T)
        ages = signed_seconds(inputs["ages"]) if "ages" in inputs else torch.zeros_like(items).double()
        values = inputs.get("values", torch.ones_like(items)).double()
        count = allow.sum(dim=1, keepdim=True) + 1
        between = (ages - ages[:, :1]).masked_fill(~allow, 0.0)  # equal for all candidates of a history
        weights = count * self.weights(items.masked_fill(~allow, PAD), values.masked_fill(~allow, 0.0), between)
        near = torch.stack((torch.zeros_like(ages), self.near(ages)), dim=2)
        history = weights.unsqueeze(2) * torch.cat((near, self.vectors[items]), dim=2)  # (B, T, D)
        level = torch.stack((self.levels[candidate], torch.ones_like(present)), dim=1)
        first = torch.cat((level, self.vectors[candidate]), dim=1)
        second = functional.pad(count, (0, self.dim - 1))  # (B, D)
        places = torch.cat((first[:, None], second[:, None], history), dim=1).to(self.vectors.dtype)
        allow = torch.cat((present[:, None], present[:, None], allow), dim=1)
        return Features(places.masked_fill(~allow.unsqueeze(-1), 0.0), allow)

    def near(self, seconds: Tensor) -> Tensor:
        """ω exp(−|t − t'|/τ) + κ of differences in seconds."""
        return self.mood * torch.exp(seconds.abs() / (-3600 * self.hours)) + self.level

    def weights(self, items: Tensor, values: Tensor, times: Tensor) -> Tensor:
        """(K + λI)⁻¹ (r − μ − b) of histories; 0 at PAD. Equal histories are solved once.  # (B, T)"""
        histories, which = torch.unique(torch.cat((items.double(), values, times), dim=1), dim=0, return_inverse=True)
        items, values, times = (part.to(self.vectors.dtype) for part in histories.chunk(3, dim=1))
        items, allow = items.long(), items != PAD
        vectors = self.vectors[items]
        with torch.autocast(items.device.type, enabled=False):
            kernel = vectors @ vectors.mT + self.near(times.unsqueeze(1) - times.unsqueeze(2))
        kernel = kernel * (allow.unsqueeze(1) & allow.unsqueeze(2)) + self.noise * torch.eye(items.shape[1]).to(kernel)
        rest = (values - self.mean - self.levels[items]) * allow
        return torch.cholesky_solve(rest.unsqueeze(2), torch.linalg.cholesky(kernel)).squeeze(2)[which]


def signed_seconds(ages: Tensor) -> Tensor:
    """Seconds since the entries; below 0 where they come later, as ages below −1 say.  # (B, T) float64"""
    return (ages + (ages < 0)).double()


def entries(train: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """User, item and value of each entry in the histories of training, or of each example where they have no values."""
    inputs = {name: values[train.present] for name, values in train.inputs.items()}
    if "values" not in inputs:
        return inputs["user"].numpy(), inputs["candidate"].numpy(), train.targets[train.present].double().numpy()
    real = inputs["history"] != PAD
    user = inputs["user"][:, None].expand_as(real)[real].numpy()
    item, value = inputs["history"][real].numpy(), inputs["values"][real].double().numpy()
    _, first = np.unique(user * (item.max(initial=0) + 1) + item, return_index=True)  # an entry is in many histories
    return user[first], item[first], value[first]


def met_together(user: np.ndarray, item: np.ndarray, items: int, rank: int) -> np.ndarray:
    """v of all items, from the user and the item of each entry; an item without one has v = 0.  # (items, rank)"""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import svds

    weights = np.bincount(user)[user] ** -0.5 * np.bincount(item)[item] ** -0.25
    met = csr_array((weights, (user, item)), shape=(user.max(initial=0) + 1, items))
    if rank < min(met.shape):
        _, size, directions = svds(met, k=rank, v0=np.ones(min(met.shape)))
    else:
        _, size, directions = np.linalg.svd(met.toarray(), full_matrices=False)
    vectors = np.zeros((items, rank))
    vectors[:, : len(size)] = directions.T * size
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(length > ROUNDING, vectors / np.maximum(length, ROUNDING), 0)


def item_levels(
    user: np.ndarray, item: np.ndarray, value: np.ndarray, vectors: np.ndarray, prior: float, met: np.ndarray
) -> tuple[float, np.ndarray]:
    """μ, and b of all items (I,), from the user, item and value of each entry and the items' vectors (I, R).

    `met` are the items of all entries, those without a value, too.
    """
    count = np.bincount(item, minlength=len(vectors))
    known, logarithm = count / (count + prior), np.log1p(np.bincount(met, minlength=len(vectors)))
    features = np.column_stack((vectors, logarithm, logarithm**2, np.ones(len(count))))
    weighted = (features * known[:, None]).T
    square = weighted @ features + np.eye(features.shape[1])
    mean, users = value.mean() if len(value) else 0.0, np.bincount(user)
    levels, of_user = np.zeros(len(count)), np.zeros(len(users))
    for _ in range(ROUNDS):
        total = np.bincount(item, value - mean - of_user[user], len(count))
        expected = features @ np.linalg.solve(square, weighted @ (total / np.maximum(count, 1)))
        levels = (total + prior * expected) / (count + prior)
        of_user = np.bincount(user, value - mean - levels[item], len(users)) / (users + prior)
    return float(mean), levels
