from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor, tensor

from iamm.dataset.base import Scene, Split
from iamm.dataset.fields import CLASS, TOKENS
from iamm.dataset.vocabulary import WordVocabulary
from iamm.encoder.base import masked_mean
from iamm.encoder.ngrams import NgramsEncoder

TRAIN = tensor([[4, 5, 4, 5, 0], [4, 4, 4, 0, 0], [6, 0, 0, 0, 0], [7, 8, 7, 8, 7]])
HERE = tensor([True, True, True, False])
TEXTS = tensor([[4, 5, 4, 5, 9, 4], [6, 5, 6, 0, 0, 0], [9, 9, 0, 0, 0, 0]])


@pytest.fixture
def encoder(text_scene):
    """E of random numbers; the last training text is absent, so that 7 and 8 are unknown to it."""
    made = NgramsEncoder(text_scene(6, TRAIN, HERE), 3, buckets=1009).double()
    torch.nn.init.normal_(made.embedding.weight, generator=torch.Generator().manual_seed(0))
    return made


def classified(texts: Tensor, targets: Tensor) -> Scene:
    here = torch.ones(len(texts), dtype=torch.bool)
    train, vocabulary = Split({"text": texts}, targets, here), WordVocabulary([f"w{n}" for n in range(3)])
    return Scene(
        "told",
        "text",
        "classification",
        {"train": train},
        {"text": TOKENS},
        CLASS,
        source=vocabulary,
        classes=tuple("abc"),
    )


def words(ids: Tensor) -> list[str]:
    return [" ".join(f"w{id}" for id in row if id) for row in ids.tolist()]


def naive(encoder: NgramsEncoder, row: list[int], train: list[list[int]]) -> Tensor:
    """Σ φ E, one n-gram at a time."""

    def ngrams(text: list[int]) -> list[tuple[int, ...]]:
        return [tuple(text[at : at + n]) for n in (1, 2) for at in range(len(text) - n + 1)]

    def bucket(ngram: tuple[int, ...]) -> int:
        hashed = 0
        for id in ngram:
            hashed = hashed * 1_000_003 + id
        return hashed % 1008 + 1

    phi = {}
    for ngram, count in Counter(ngrams(row)).items():
        frequency = sum(ngram in ngrams(text) for text in train)
        phi[ngram] = frequency and (1 + math.log(count)) * (1 + math.log((1 + len(train)) / (1 + frequency)))
    norm = math.sqrt(sum(value**2 for value in phi.values())) or 1.0
    return sum(value / norm * encoder.embedding.weight[bucket(ngram)] for ngram, value in phi.items())


def test_by_hand(text_scene):
    """Each of two texts has a word of its own, so idf is the same; "w0 w0" counts 1 + ln 2 and 1."""
    encoder = NgramsEncoder(text_scene(2, tensor([[4, 4], [5, 0]])), 1, buckets=101)
    torch.nn.init.ones_(encoder.embedding.weight)
    values, allow = encoder({"text": tensor([[4, 4], [5, 0]])}, tensor([True, True]))
    word, pair = (part / math.hypot(1 + math.log(2), 1) for part in (1 + math.log(2), 1))
    torch.testing.assert_close(values[:, :, 0], tensor([[2 * (word / 2 + pair), 2 * word / 2], [1.0, 0.0]]))
    assert allow.tolist() == [[True, True], [True, False]]


def test_equals_the_naive_loop_with_gradients(encoder, agree):
    found = masked_mean(encoder({"text": TEXTS}, tensor([True, True, True])))
    train = [[id for id in row if id] for row in TRAIN[HERE].tolist()]
    rows = [naive(encoder, [id for id in row if id], train) for row in TEXTS.tolist()]
    assert (rows[2] == 0).all()
    agree(found, torch.stack(rows), [encoder.embedding.weight])


def test_equals_scikit_learn(encoder):
    reference = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    reference.fit(words(TRAIN[HERE]))
    expected = reference.transform(words(TEXTS)).toarray()
    weights, ngrams = encoder.weights(encoder.ngrams(TEXTS)), encoder.ngrams(TEXTS)
    for text, row in enumerate(expected):
        found = torch.zeros(1009, dtype=torch.float64).index_add(0, ngrams[text].flatten(), weights[text].flatten())
        torch.testing.assert_close(sorted(found[found > 0].tolist()), sorted(row[row > 0].tolist()))


def test_class_ratios_by_hand():
    """Of 2 + 1 texts, 4 stands in one of the first class, 5 in all, 6 in the one of the second class."""
    texts, targets = tensor([[4, 5], [5, 0], [5, 6]]), tensor([0, 0, 1])
    encoder = NgramsEncoder(classified(texts, targets), 3, order=1, buckets=101, naive_bayes=0.5)
    ratios = {4: math.log((2 / 4) / (1 / 3)), 5: math.log((3 / 4) / (2 / 3)), 6: math.log((2 / 3) / (1 / 4))}
    for id, ratio in ratios.items():
        (row,) = encoder.ngrams(tensor([[id]])).flatten().tolist()
        idf = 1 + math.log(4 / (1 + int((texts == id).sum())))
        assert encoder.importance[row].item() == pytest.approx(idf * math.sqrt(ratio), rel=1e-6)
    assert encoder.importance.count_nonzero() == 3


def test_class_ratios_of_three_classes_are_the_largest_of_one_against_the_rest():
    texts, targets = tensor([[4], [5], [6], [6]]), tensor([0, 1, 2, 2])
    encoder = NgramsEncoder(classified(texts, targets), 3, order=1, buckets=101, naive_bayes=1.0)
    (row,) = encoder.ngrams(tensor([[6]])).flatten().tolist()
    ratios = [(1 / 3) / (3 / 5), (1 / 3) / (3 / 5), (3 / 4) / (1 / 4)]
    expected = max(abs(math.log(ratio)) for ratio in ratios) * (1 + math.log(5 / 3))
    assert encoder.importance[row].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("targets", [tensor([1, 1, 1]), None])
def test_naive_bayes_without_two_classes_is_refused(text_scene, targets):
    texts = tensor([[4, 5], [5, 0], [5, 6]])
    scene = text_scene(3, texts) if targets is None else classified(texts, targets)
    with pytest.raises(ValueError, match=r"^Naive Bayes needs training texts of two classes\. Found no two in told"):
        NgramsEncoder(scene, 3, buckets=101, naive_bayes=0.5)


def test_it_begins_without_an_opinion(text_scene):
    encoder = NgramsEncoder(text_scene(6, TRAIN), 3, buckets=1009)
    assert (encoder({"text": TEXTS}, tensor([True, True, True])).values == 0).all()


def test_one_bucket_for_all_is_refused(text_scene):
    with pytest.raises(ValueError, match=r"`buckets` must be .* Found 1\."):
        NgramsEncoder(text_scene(6, TRAIN), 3, buckets=1)
