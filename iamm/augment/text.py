"""Augmentation of texts: replace, delete, mask and insert."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iamm.augment.base import Augment
from iamm.augment.randomness import uniform
from iamm.constraints import Share
from iamm.dataset.vocabulary import PAD, SPECIAL, UNKNOWN


class TextAugment(Augment):
    """Each ordinary token is deleted, replaced, masked or unchanged; in each case a token may be inserted after it.

    One number u in [0, 1) decides: deleted below `delete`, replaced in the next `replace`, masked in the next `mask`.
    So every probability is exact, and at most one of them happens. Special ids (below 4) do not change. If all ordinary
    tokens of a text would be deleted, the one with the largest u stays. Random ids are uniform over the ordinary ones.

    Args:
        replace: probability, for each ordinary token, to become a random ordinary id.
        delete: probability to be deleted.
        mask: probability to become the unknown id.
        insert: probability to be followed by a random ordinary id.

    Shapes:
        (B, T) → (B, T'), T' the longest result, at most 2T and at least 1; padded with 0.

    Raises:
        ValueError: a probability outside [0, 1]; probabilities with a sum above 1; no ordinary id to draw.

    Source: Wei and Zou 2019, "EDA: easy data augmentation techniques", random deletion and insertion; Devlin et al.
    2019, "BERT", §3.1, one change per token. Ours draws from the whole vocabulary, where EDA draws synonyms.
    """

    kind: ClassVar[str] = "text"
    at_most: ClassVar = {("replace", "delete", "mask"): 1}  # a token has one change
    field: ClassVar[str] = "tokens"

    def __init__(
        self, *, replace: Share = 0.05, delete: Share = 0.05, mask: Share = 0.05, insert: Share = 0.05
    ) -> None:
        self.replace, self.delete, self.mask, self.insert = replace, delete, mask, insert

    def apply(self, inputs: Tensor, keys: NDArray[np.uint64], vocabulary: int | None) -> Tensor:
        if inputs.numel() == 0 or not (self.replace or self.delete or self.mask or self.insert):
            return inputs
        ids = inputs.cpu().numpy()
        draws = uniform(keys[:, None, None], np.arange(4 * ids.shape[1]).reshape(-1, 4))  # (B, T, 4)
        choice, other, follow, follower = np.moveaxis(draws, -1, 0)  # (B, T) each
        ordinary = ids >= len(SPECIAL)
        changed = self._changed(ids, ordinary, choice, self._random_ids(other, vocabulary))
        added = np.where(ordinary & (follow < self.insert), self._random_ids(follower, vocabulary), PAD)
        both = np.stack((changed, added), axis=-1).reshape(len(ids), -1)  # (B, 2T)
        return torch.from_numpy(packed(both)).to(inputs.device)

    def _changed(
        self,
        ids: NDArray[np.int64],
        ordinary: NDArray[np.bool_],
        choice: NDArray[np.float64],
        others: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """The ids after deletion (as PAD), replacement and masking.  # (B, T)"""
        largest = np.where(ordinary, choice, 0.0).max(axis=1, keepdims=True)  # (B, 1)
        deleted, replaced, masked = np.cumsum((self.delete, self.replace, self.mask))
        conditions = [
            ~ordinary,
            choice < np.minimum(deleted, largest),
            choice < deleted,
            choice < replaced,
            choice < masked,
        ]
        return np.select(
            conditions, [ids, np.full_like(ids, PAD), ids, others, np.full_like(ids, UNKNOWN)], default=ids
        )

    def _random_ids(self, draws: NDArray[np.float64], vocabulary: int | None) -> NDArray[np.int64]:
        """Draw uniform ordinary ids; zeros, without a vocabulary, if nothing is replaced or inserted."""
        if not (self.replace or self.insert):
            return np.zeros(draws.shape, np.int64)
        if vocabulary is None or vocabulary <= len(SPECIAL):
            raise ValueError(
                f"`replace` and `insert` need a `vocabulary` of more than {len(SPECIAL)} ids. Found {vocabulary}."
            )
        return len(SPECIAL) + (draws * (vocabulary - len(SPECIAL))).astype(np.int64)


def packed(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move each row's tokens to the left over PAD; the width is that of the longest row, at least 1."""
    real = ids != PAD
    length = real.sum(axis=1)  # (B,)
    width = max(1, length.max(initial=0))
    rows = np.full((len(ids), width), PAD, np.int64)
    rows[np.arange(width) < length[:, None]] = ids[real]
    return rows
