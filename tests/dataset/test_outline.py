from __future__ import annotations

import json
from itertools import chain

import pytest
import torch
from torch import tensor

from iamm.dataset.base import Scene, Split
from iamm.dataset.fields import CLASS, PIXELS, TOKENS, Field
from iamm.dataset.outline import outline, scenes_of
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import SubwordVocabulary, WordVocabulary

WORDS = WordVocabulary(["a", "b"])
HERE = tensor([True, True, False])
SENTENCES = Split({"text": tensor([[4, 5, 0], [4, 0, 0], [4, 4, 4]])}, tensor([[1, 5, 2], [1, 2, 0], [1, 2, 0]]), HERE)
PICTURES = Split({"image": torch.zeros(3, 1, 5, 7, dtype=torch.uint8)}, tensor([0, 1, 1]), HERE)
NUMBERS = Split({"price": torch.zeros(3, 2), "past": tensor([[7, 8], [7, -1], [-1, -1]])}, torch.zeros(3), HERE)
FIELDS = {"price": Field("numbers"), "past": Field("sequence", padding=-1)}


@pytest.fixture
def groups():
    form = TextFormat(True, "apart", 3)
    said = Scene("said", "text", "generation", {"train": SENTENCES}, {"text": TOKENS}, TOKENS, (), WORDS, WORDS, form)
    drawn = Scene("drawn", "image", "classification", {"train": PICTURES}, {"image": PIXELS}, CLASS, ("cat", "dog"))
    sold = Scene("sold", "offer", "regression", {"train": NUMBERS}, FIELDS, Field("numbers"))
    return [[said, drawn], [sold]]


def test_all_but_the_examples_comes_back(groups):
    content = json.loads(json.dumps(outline(groups)))
    assert len(content["vocabularies"]) == 1
    found = scenes_of(content)
    assert [[scene.name for scene in group] for group in found] == [["said", "drawn"], ["sold"]]
    for scene, before in zip(chain(*found), chain(*groups), strict=True):
        for name in ("kind", "task", "fields", "target_field", "classes", "text_format"):
            assert getattr(scene, name) == getattr(before, name)
    said = found[0][0]
    assert said.source is said.target
    assert said.source.encode("b a c") == [5, 4, 3]


def test_the_stand_in_is_as_long_as_the_longest_that_is_present(groups):
    said, drawn, sold = chain(*scenes_of(outline(groups)))
    assert said.splits["train"].inputs["text"].tolist() == [[1, 1]]
    assert said.splits["train"].targets.tolist() == [[1, 1, 1]]
    assert drawn.splits["train"].inputs["image"].shape == (1, 1, 5, 7)
    assert drawn.splits["train"].inputs["image"].dtype == torch.uint8
    assert drawn.splits["train"].targets.tolist() == [0]
    assert sold.splits["train"].inputs["past"].tolist() == [[0, 0]]
    assert sold.splits["train"].inputs["price"].tolist() == [[0.0, 0.0]]


def test_subwords_come_back(groups):
    texts = ["low lower lowest", "slow slower slowest"]
    pieces = SubwordVocabulary.learn(texts, size=20)
    train = Split({"text": tensor([[4]])}, tensor([0]), tensor([True]))
    scene = Scene("s", "text", "classification", {"train": train}, {"text": TOKENS}, CLASS, ("a",), pieces)
    [[found]] = scenes_of(json.loads(json.dumps(outline([[scene]]))))
    assert len(found.source) == len(pieces)
    assert found.source.encode_all(texts) == pieces.encode_all(texts)
