"""Augmentation of texts: replace, delete, mask and insert."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from iamm.augment.base import Augment
from iamm.augment.randomness import uniform
from iamm.augment.synonyms import neighbours, read_synonyms, table_of
from iamm.constraints import Share
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD, SPECIAL, UNKNOWN

LEARNT = "learnt"
NEIGHBOURS = 5


class TextAugment(Augment):
    """Each ordinary token is deleted, replaced, masked or unchanged; in each case a token may be inserted after it.

    One number u in [0, 1) decides: deleted below `delete`, replaced in the next `replace`, masked in the next `mask`.
    So every probability is exact, and at most one of them happens. Special ids (below 4) do not change. If all ordinary
    tokens of a text would be deleted, the one with the largest u stays. Random ids are uniform over the ordinary ones,
    or over the synonyms of the token; one without synonyms is neither replaced nor followed.

    Args:
        replace: probability, for each ordinary token, to become a random id.
        delete: probability to be deleted.
        mask: probability to become the unknown id.
        insert: probability to be followed by a random id.
        synonyms: None: random ids are any ordinary ones; `learnt`: the 5 nearest neighbours in the embedding of the
            scene's encoder, as it is at the end of the epoch before; else a file with a line `word,synonym,…` a word.

    Shapes:
        (B, T) → (B, T'), T' the longest result, at most 2T and at least 1; padded with 0.

    Raises:
        ValueError: a probability outside [0, 1]; probabilities with a sum above 1; no ordinary id to draw.
        MissingDataError, BadDataError: as `read_synonyms`.

    Source: Wei and Zou 2019, "EDA: easy data augmentation techniques", random deletion and insertion; Devlin et al.
    2019, "BERT", §3.1, one change per token. EDA draws synonyms of WordNet; Wang and Yang 2015, "That's so
    annoying!!!", neighbours in an embedding.
    """

    kind: ClassVar[str] = "text"
    at_most: ClassVar = {("replace", "delete", "mask"): 1}  # a token has one change
    field: ClassVar[str] = "tokens"

    def __init__(
        self,
        *,
        replace: Share = 0.05,
        delete: Share = 0.05,
        mask: Share = 0.05,
        insert: Share = 0.05,
        synonyms: str | None = None,
    ) -> None:
        self.replace, self.delete, self.mask, self.insert = replace, delete, mask, insert
        self.synonyms, self.learns = synonyms, synonyms == LEARNT
        self.tables: dict[str, NDArray[np.int64]] = {}  # scene → (V, K), ids of synonyms, PAD behind the last one
        self.words = None if synonyms in (None, LEARNT) else read_synonyms(str(synonyms))

    def prepare(self, scene: Scene) -> None:
        if self.words is not None and scene.source is not None:
            self.tables[scene.name] = table_of(self.words, scene)

    def learn(self, name: str, embedding: Tensor) -> None:
        self.tables[name] = neighbours(embedding, NEIGHBOURS)

    def apply(self, inputs: Tensor, keys: NDArray[np.uint64], scene: Scene | None) -> Tensor:
        if inputs.numel() == 0 or not (self.replace or self.delete or self.mask or self.insert):
            return inputs
        ids = inputs.cpu().numpy()
        draws = uniform(keys[:, None, None], np.arange(4 * ids.shape[1]).reshape(-1, 4))  # (B, T, 4)
        choice, other, follow, follower = np.moveaxis(draws, -1, 0)  # (B, T) each
        ordinary = ids >= len(SPECIAL)
        others = self._random_ids(ids, other, scene)
        changed = self._changed(ids, ordinary, choice, np.where(others == PAD, ids, others))
        added = np.where(ordinary & (follow < self.insert), self._random_ids(ids, follower, scene), PAD)
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

    def _random_ids(self, ids: NDArray[np.int64], draws: NDArray[np.float64], scene: Scene | None) -> NDArray[np.int64]:
        """Draw uniform ordinary ids, or synonyms of `ids`; PAD where nothing is replaced or inserted.  # (B, T)"""
        if not (self.replace or self.insert):
            return np.full_like(ids, PAD)
        if self.synonyms is not None:
            table = self.tables.get(scene.name) if scene else None
            return np.full_like(ids, PAD) if table is None else drawn(table[ids], draws)
        vocabulary = len(scene.source) if scene and scene.source else None
        if vocabulary is None or vocabulary <= len(SPECIAL):
            raise ValueError(
                f"`replace` and `insert` need a vocabulary of more than {len(SPECIAL)} ids. Found {vocabulary}."
            )
        return len(SPECIAL) + (draws * (vocabulary - len(SPECIAL))).astype(np.int64)


def drawn(choices: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw one of each row of ids (…, K) that PAD may fill up at its end, PAD of a row without any.  # (…,)"""
    count = (choices != PAD).sum(axis=-1)
    return np.take_along_axis(choices, (draws * count).astype(np.int64)[..., None], axis=-1)[..., 0]


def packed(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move each row's tokens to the left over PAD; the width is that of the longest row, at least 1."""
    real = ids != PAD
    length = real.sum(axis=1)  # (B,)
    width = max(1, length.max(initial=0))
    rows = np.full((len(ids), width), PAD, np.int64)
    rows[np.arange(width) < length[:, None]] = ids[real]
    return rows
