from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from iamm.augment.text import TextAugment, packed

NOTHING = {"replace": 0.0, "delete": 0.0, "mask": 0.0, "insert": 0.0}
MIXED = {"replace": 0.2, "delete": 0.3, "mask": 0.1, "insert": 0.4}
VOCABULARY = 101
SCENE = SimpleNamespace(name="texts", source=range(VOCABULARY))  # what is read of one
SEED, EPOCH = 17, 2


def texts() -> Tensor:
    """With and without BOS and EOS, an unknown word, one word alone, only specials, absent."""
    rows = [
        [1, 10, 11, 12, 13, 14, 2],
        [20, 21, 3, 22, 23, 0, 0],
        [30, 0, 0, 0, 0, 0, 0],
        [1, 2, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    return torch.tensor(rows)


def augmented(strengths: dict, ids: Tensor, index: Tensor | None = None) -> Tensor:
    index = torch.arange(len(ids)) if index is None else index
    return TextAugment(**NOTHING | strengths)(ids, index, seed=SEED, epoch=EPOCH, scene=SCENE)


def unpadded(ids: Tensor) -> list[list[int]]:
    return [[token for token in row if token] for row in ids.tolist()]


def naive_augment(row: list[int], u, *, replace: float, delete: float, mask: float, insert: float) -> list[int]:
    """One text, token by token; u(k) is its k-th random number, four a position."""
    words = [place for place, token in enumerate(row) if token >= 4]
    survivor = max(words, key=lambda place: u(4 * place), default=None)
    result = []
    for place, token in enumerate(row):
        if token < 4:
            result += [token] if token else []
            continue
        choice = u(4 * place)
        if choice < delete:
            result += [token] if place == survivor else []
        elif choice < delete + replace:
            result += [4 + int(u(4 * place + 1) * (VOCABULARY - 4))]
        else:
            result += [3] if choice < delete + replace + mask else [token]
        if u(4 * place + 2) < insert:
            result += [4 + int(u(4 * place + 3) * (VOCABULARY - 4))]
    return result


@pytest.mark.parametrize(
    "strengths",
    [{"replace": 0.5}, {"delete": 0.5}, {"delete": 1.0}, {"mask": 0.5}, {"insert": 0.5}, MIXED],
    ids=lambda strengths: "_".join(strengths),
)
def test_equals_the_loop_over_tokens(strengths: dict, naive_draw) -> None:
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(0, VOCABULARY, (97, 13), generator=generator)
    ids[torch.arange(13) >= torch.randint(0, 14, (97, 1), generator=generator)] = 0
    ids = torch.cat((ids, torch.nn.functional.pad(texts(), (0, 6))))
    found = augmented(strengths, ids)
    expected = [
        naive_augment(
            row, lambda draw, index=index: naive_draw(SEED, "text", EPOCH, index, draw), **NOTHING | strengths
        )
        for index, row in enumerate(ids.tolist())
    ]
    assert unpadded(found) == expected
    assert found.shape[1] == max(len(row) for row in expected)


def test_all_masked_by_hand() -> None:
    expected = [[1, 3, 3, 3, 3, 3, 2], [3, 3, 3, 3, 3], [3], [1, 2], []]
    assert unpadded(augmented({"mask": 1.0}, texts())) == expected


def test_all_deleted_leaves_one_word() -> None:
    found = unpadded(augmented({"delete": 1.0}, texts()))
    assert [len(row) for row in found] == [3, 2, 1, 2, 0]
    assert found[0][0] == 1
    assert found[0][1] in range(10, 15)
    assert found[0][2] == 2
    assert found[2:] == [[30], [1, 2], []]


def test_all_followed() -> None:
    """A word stands behind each word, none behind a special one: 5 + 2 becomes 10 + 2."""
    found = unpadded(augmented({"insert": 1.0}, texts()))
    assert [len(row) for row in found] == [12, 9, 2, 2, 0]
    assert found[0][1:11:2] == [10, 11, 12, 13, 14]
    assert [found[1][place] for place in (0, 2, 4, 5, 7)] == [20, 21, 3, 22, 23]
    assert min(found[0][2:11:2]) >= 4


def test_all_replaced_keeps_the_specials_in_place() -> None:
    found = augmented({"replace": 1.0}, texts())
    special = texts() < 4
    assert torch.equal(found[special], texts()[special])
    assert (found[~special] != texts()[~special]).double().mean() > 0.8


@pytest.mark.parametrize("name", ["replace", "delete", "mask", "insert"])
def test_probabilities(name: str) -> None:
    """Each change affects its share of 200 · 251 words, whichever others there are."""
    ids = torch.full((251, 200), 50)
    counts = {"mask": 0, "replace": 0, "kept": 0, "all": 0}
    for row in unpadded(augmented(MIXED | {"insert": 0.0}, ids)):
        counts["mask"] += row.count(3)
        counts["kept"] += row.count(50)
        counts["all"] += len(row)
    shares = {
        "mask": counts["mask"],
        "delete": ids.numel() - counts["all"],
        "replace": (counts["all"] - counts["mask"] - counts["kept"]) * 97 / 96,
        "insert": sum(len(row) for row in unpadded(augmented({"insert": 0.4}, ids))) - ids.numel(),
    }
    p = MIXED[name]
    assert abs(shares[name] / ids.numel() - p) < 4.5 * math.sqrt(p * (1 - p) / ids.numel())


def test_random_words_are_uniform_over_the_ordinary() -> None:
    found = augmented({"replace": 1.0}, torch.full((97, 499), 50)).flatten().numpy()
    counts = np.bincount(found, minlength=VOCABULARY)
    assert counts[:4].sum() == 0
    expected = found.size / 97
    assert abs(((counts[4:] - expected) ** 2 / expected).sum() - 96) < 4.5 * math.sqrt(2 * 96)


tokens = st.lists(st.integers(1, VOCABULARY - 1), max_size=7)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(tokens, min_size=1, max_size=5), wider=st.integers(0, 5), seed=st.integers(-5, 2**32))
def test_properties(rows: list[list[int]], wider: int, seed: int) -> None:
    """Padding's width does not matter; no text with a word ends without; specials stay; at most twice as long."""
    width = max(map(len, rows))
    narrow = torch.tensor([row + [0] * (width - len(row)) for row in rows], dtype=torch.int64).view(len(rows), width)
    augment, index = TextAugment(**MIXED | {"delete": 0.7}), torch.arange(len(rows))
    found = augment(narrow, index, seed=seed, epoch=1, scene=SCENE)
    padded = torch.nn.functional.pad(narrow, (0, wider))
    again = augment(padded, index, seed=seed, epoch=1, scene=SCENE)
    assert unpadded(found) == unpadded(again)
    for before, after in zip(rows, unpadded(found), strict=True):
        assert bool(before) == bool(after)
        assert len(after) <= 2 * len(before)
        assert any(token >= 3 for token in after) or all(token < 3 for token in before)
        assert [token for token in after if token in (1, 2)] == [token for token in before if token in (1, 2)]


def test_packed_by_hand() -> None:
    ids = np.array([[0, 5, 0, 6], [0, 0, 0, 0], [7, 0, 0, 0]])
    assert packed(ids).tolist() == [[5, 6], [0, 0], [7, 0]]
    assert packed(np.zeros((2, 4), np.int64)).tolist() == [[0], [0]]


def test_no_vocabulary_needed_where_none_is_drawn_from() -> None:
    found = TextAugment(**NOTHING | {"mask": 1.0})(texts(), torch.arange(5), seed=SEED, epoch=EPOCH)
    assert unpadded(found)[2] == [3]


@pytest.mark.parametrize("vocabulary", [None, 4])
def test_refuses_a_vocabulary_without_words(vocabulary: int | None) -> None:
    scene = SimpleNamespace(name="texts", source=vocabulary and range(vocabulary))
    with pytest.raises(ValueError, match="need a vocabulary of more than 4 ids") as error:
        TextAugment()(texts(), torch.arange(5), seed=SEED, epoch=EPOCH, scene=scene)
    assert f"Found {vocabulary}" in str(error.value)


@pytest.mark.parametrize("name", ["replace", "delete", "mask", "insert"])
@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_refuses_what_is_no_probability(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be a number at least 0 and at most 1. Found {value}"):
        TextAugment(**NOTHING | {name: value})


def test_refuses_probabilities_above_one() -> None:
    with pytest.raises(
        ValueError, match=r"`replace` \+ `delete` \+ `mask` must be at most 1\. Found 1\.1: lower one\."
    ):
        TextAugment(delete=0.5, replace=0.4, mask=0.2)
    assert TextAugment(delete=0.8, replace=0.1, mask=0.1).delete == 0.8  # whose sum is 1 + 2⁻⁵² in floats
