"""Tables of synonyms by id: from a user's file of words, or the nearest neighbours in an embedding."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD, SPECIAL, UNKNOWN
from iamm.errors import BadDataError, ConfigError, MissingDataError
from iamm.files import read_file

Words = Mapping[str, Sequence[str]]
CHUNK = 1024
"""Words whose similarities to all others are in memory at once."""


def read_synonyms(path: str) -> Words:
    """Read a file with a line `word,synonym,synonym…` for each word, in UTF-8.

    Raises:
        MissingDataError: there is no such file.
        BadDataError: it is no text, or a line has no synonym.
    """
    try:
        lines = list(csv.reader(read_file(Path(path)).decode("utf-8-sig").splitlines()))
    except FileNotFoundError as error:
        raise MissingDataError(
            f"`augment.text.synonyms` must be learnt or name a file. Found no {path} in {Path().absolute()}: write it "
            "as seen from here."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadDataError(f"A file of synonyms must be a CSV in UTF-8. Found in {path}: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if line and not all(len(line) > 1 and word.strip() for word in line):
            raise BadDataError(
                f"A line of synonyms must be word,synonym,…. Found {','.join(line)!r} in {path}, line {number}: add "
                "one, or remove the line."
            )
    return {line[0]: line[1:] for line in lines if line}


def table_of(words: Words, scene: Scene) -> NDArray[np.int64]:
    """The ids of each id's synonyms, PAD behind the last one; those that are no single known id are left out.  # (V, K)

    Raises:
        ConfigError: no word of the vocabulary has one.
    """
    assert scene.source is not None
    found: dict[int, list[int]] = {}
    for word, others in words.items():
        ids = [single_id(other, scene) for other in (word, *others)]
        if ids[0] is not None:
            found[ids[0]] = [id for id in ids[1:] if id is not None]
    width = max(map(len, found.values()), default=0)
    if not width:
        raise ConfigError(
            "`augment.text.synonyms` needs words of the scene's vocabulary. Found none with a synonym in "
            f"{scene.name}: take another file, or leave it out."
        )
    table = np.full((len(scene.source), width), PAD, np.int64)
    for id, known in found.items():
        table[id, : len(known)] = known
    return table


def single_id(word: str, scene: Scene) -> int | None:
    """The id of a word that is one piece of the scene's vocabulary; None of another."""
    assert scene.source is not None
    ids = scene.source.encode(scene.text_format.tidied(word) if scene.text_format else word)
    return ids[0] if len(ids) == 1 and ids[0] > UNKNOWN else None


def neighbours(embedding: Tensor, count: int) -> NDArray[np.int64]:
    """The ids j ≠ i with the largest cosine of e_i and e_j, of each ordinary id i; PAD of a special one.

    Shapes:
        embedding: (V, D)
        returns (V, K), the nearest first, K at most `count`; one column of PAD where there are fewer than two words
    """
    ordinary = functional.normalize(embedding.detach()[len(SPECIAL) :], dim=1)  # (W, D)
    count = min(count, len(ordinary) - 1)
    if count < 1:
        return np.full((len(embedding), 1), PAD, np.int64)
    table = np.full((len(embedding), count), PAD, np.int64)
    for first in range(0, len(ordinary), CHUNK):
        cosines = ordinary[first : first + CHUNK] @ ordinary.T  # (n, W)
        rows = torch.arange(len(cosines), device=cosines.device)
        cosines[rows, first + rows] = -torch.inf
        table[len(SPECIAL) + first :][: len(rows)] = len(SPECIAL) + cosines.topk(count).indices.cpu().numpy()
    return table
