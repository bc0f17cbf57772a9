"""Scenes small enough to follow by hand, and a head whose next token is read off a table."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from iamm.dataset.base import Scene, SceneBatch, Split
from iamm.dataset.fields import TOKENS
from iamm.dataset.vocabulary import WordVocabulary
from iamm.encoder.base import Features
from iamm.head.text import TextHead

WORDS = ("ba", "do", "gi", "ku", "la", "mo", "ne")  # ids 4 to 10


def made_scene(task: str, targets: Tensor | None = None, present: Tensor | None = None) -> Scene:
    count = 1 if targets is None else len(targets)
    targets = torch.tensor([[1, 4, 5, 6, 7, 8, 9, 10, 2]]) if targets is None else targets
    here = torch.ones(count, dtype=torch.bool) if present is None else present
    split = Split({}, targets, here)
    vocabulary = WordVocabulary(WORDS)
    classes = ("red", "green", "blue")
    return Scene("s", "text", task, {"train": split}, {}, TOKENS, classes, source=vocabulary, target=vocabulary)


@pytest.fixture
def scene():
    """A task, training targets and their presence → a scene of three classes and seven words."""
    return made_scene


@pytest.fixture
def batch():
    """Targets and presence → a batch without inputs."""

    def make(targets: Tensor, present: Tensor | None = None) -> SceneBatch:
        here = torch.ones(len(targets), dtype=torch.bool) if present is None else present
        return SceneBatch({}, targets, here)

    return make


@dataclass(frozen=True)
class Nothing:
    def select(self, sentences: Tensor, hypotheses: Tensor) -> Nothing:
        return self


class TableHead(TextHead):
    """Logits of the next token = the row of `table` (V, V) for the last one, whatever the source."""

    def __init__(self, table: Tensor, scene: Scene | None = None, **search) -> None:
        super().__init__(scene or made_scene("generation"), len(table), **search)
        self.embedding.weight.data = torch.eye(len(table))
        self.table = table

    def attended(self, features: Features, tokens: Tensor, *, need_weights: bool):
        return self.table[tokens], None

    def begin(self, features: Features) -> Nothing:
        return Nothing()

    def advance(self, tokens: Tensor, state: Nothing):
        return self.table[tokens], state


@pytest.fixture
def table_head():
    return TableHead


@pytest.fixture
def agree():
    """Two results are equal, and so are their gradients with respect to `leaves`."""

    def check(found: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)  # positions are float32
        probe = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
        gradients = [
            torch.autograd.grad((result * probe).sum(), leaves, allow_unused=True, materialize_grads=True)
            for result in (found, expected)
        ]
        torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)

    return check
