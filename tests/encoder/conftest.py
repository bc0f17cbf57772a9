"""Scenes small enough to follow by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from iamm.dataset.base import Scene, Split
from iamm.dataset.fields import CLASS, PIXELS, TOKENS
from iamm.dataset.vocabulary import WordVocabulary


def made_pictures(pictures: Tensor, present: Tensor | None = None) -> Scene:
    count = len(pictures)
    here = torch.ones(count, dtype=torch.bool) if present is None else present
    split = Split({"image": pictures}, torch.zeros(count, dtype=torch.int64), here)
    return Scene("pictured", "image", "classification", {"train": split}, {"image": PIXELS}, CLASS, classes=("a", "b"))


def made_texts(words: int, ids: Tensor | None = None, present: Tensor | None = None) -> Scene:
    ids = torch.arange(4, 4 + words)[None] if ids is None else ids
    here = torch.ones(len(ids), dtype=torch.bool) if present is None else present
    train, vocabulary = Split({"text": ids}, ids, here), WordVocabulary([f"w{n}" for n in range(words)])
    return Scene("told", "text", "generation", {"train": train}, {"text": TOKENS}, TOKENS, source=vocabulary)


@pytest.fixture
def image_scene():
    """uint8 pictures (N, C, H, W), and which are there → a scene."""
    return made_pictures


@pytest.fixture
def text_scene():
    """A number of words, whose ids begin at 4, and the training texts and which are there → a scene."""
    return made_texts
