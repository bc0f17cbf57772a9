"""Behaviours → vectors of items, whose inner products say how far the same users click both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from iamm.constraints import NotNegative
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD, UNKNOWN
from iamm.encoder.base import Encoder, Features


class CoClicksEncoder(Encoder):
    """x_0 = v(candidate), x_t = v(history_t), where v_iᵀv_j ≈ P_ij = n_ij/√(n_i n_j) · n_ij/(n_ij + m), P_ii = 1.

    n_i is the number of users who clicked item i in training, n_ij of those who clicked both. v are the D largest
    eigenvectors of P, each times the root of its eigenvalue where that is above 0. Nothing is learnt here. With a
    linear head and the mean of the history: item neighbours. With `attention=ridge` the history is whitened: a
    candidate is scored by how far the clicks explain it, and items that are alike count once.

    Args:
        scene: gives the items and the clicks.
        dim: D.
        shrinkage: m: a similarity that n_ij = m users support is halved.

    Shapes:
        inputs["candidate"] (B,) and inputs["history"] (B, T) ids → values (B, 1 + T, D), the candidate in place 0

    An item without a click has v = 0. A training example counts in its own similarities.

    Source: Deshpande and Karypis 2004, §4.1 (cosine); Koren 2008, eq. 2 (shrinkage); Cremonesi, Koren, Turrin 2010,
    §3.2 (a factorisation without missing values).
    """

    vectors: Tensor

    def __init__(self, scene: Scene, dim: int, *, shrinkage: NotNegative = 10.0) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        train = scene.splits["train"]
        clicked = train.targets.bool() & train.present
        user, item = (train.inputs[name][clicked].numpy() for name in ("user", "candidate"))
        vectors = torch.from_numpy(item_vectors(user, item, len(scene.source), dim, shrinkage)).float()
        self.register_buffer("vectors", vectors)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        items = torch.cat((inputs["candidate"][:, None], inputs["history"]), dim=1)  # (B, 1 + T)
        allow = (items != PAD) & present[:, None]
        return Features(self.vectors[items].masked_fill(~allow.unsqueeze(-1), 0.0), allow)


def item_vectors(user: np.ndarray, item: np.ndarray, items: int, dim: int, shrinkage: float) -> np.ndarray:
    """v of all items, from the user and the item of each click; signs are such that the largest entry is positive.

    Shapes:
        → (items, dim) float64
    """
    from scipy.sparse import csr_array, diags_array
    from scipy.sparse.linalg import eigsh

    real = item > UNKNOWN
    clicks = csr_array((np.ones(real.sum()), (user[real], item[real])), shape=(user.max(initial=0) + 1, items))
    clicks.data[:] = 1.0  # a repeated click is one
    both = (clicks.T @ clicks).tocsr()
    count = both.diagonal()
    root = diags_array(1 / np.sqrt(np.maximum(count, 1)))
    similarity = root @ both @ root
    similarity.data *= both.data / (both.data + shrinkage)
    similarity += diags_array((count > 0) - similarity.diagonal())
    if dim < items - 1:
        values, vectors = eigsh(similarity, k=dim, v0=np.ones(items))
    else:
        values, vectors = np.linalg.eigh(similarity.toarray())
    values, vectors = values[::-1][:dim], vectors[:, ::-1][:, :dim]
    vectors *= np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    vectors = vectors * np.sqrt(np.maximum(values, 0)) * (count > 0)[:, None]
    return np.pad(vectors, ((0, 0), (0, dim - vectors.shape[1])))
