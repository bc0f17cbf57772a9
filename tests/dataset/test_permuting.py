"""Scenes whose training targets are permuted in part."""

from __future__ import annotations

import pytest
import torch

from iamm.dataset.base import Dataset, Scene
from iamm.dataset.fields import CLASS, NUMBER
from iamm.dataset.permuting import permuted
from iamm.dataset.split import Split

ABSENT = 7


@pytest.fixture
def datasets():
    """Two scenes of 101 training examples, each with a target of its own; one example is absent."""

    def made(name):
        present = torch.arange(101) != ABSENT
        splits = {split: Split({"x": torch.arange(101)}, torch.arange(101), present) for split in ("train", "test")}
        return Dataset(name, (Scene(name, "numbers", "ranking", splits, {"x": NUMBER}, CLASS),))

    return [made("a"), made("b")]


def targets(datasets, name, split="train"):
    return next(dataset.scenes[0].splits[split].targets for dataset in datasets if dataset.name == name)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_share_of_the_present_examples_exchange_their_targets(datasets, share):
    found = permuted(datasets, {"b": share}, 3)
    changed = (targets(found, "b") != torch.arange(101)).nonzero()[:, 0]
    assert share * 100 - 5 <= len(changed) <= share * 100  # a few get their own again
    assert ABSENT not in changed
    assert targets(found, "b").sort().values.equal(torch.arange(101))
    assert targets(found, "b", "test").equal(torch.arange(101))
    assert targets(found, "a").equal(torch.arange(101))
    assert targets(datasets, "b").equal(torch.arange(101))
    assert targets(permuted(datasets, {"b": share}, 3), "b").equal(targets(found, "b"))


def test_a_larger_share_permutes_more_of_the_same_examples(datasets):
    first, second = (
        set((targets(permuted(datasets, {"a": share}, 0), "a") != torch.arange(101)).nonzero()[:, 0].tolist())
        for share in (0.25, 0.5)
    )
    assert len(first - second) <= 3  # those that got their own again


def test_a_name_of_no_scene(datasets):
    with pytest.raises(ValueError, match=r"^`permuted` must name scenes of the run. Found c. Choices: a, b.$"):
        permuted(datasets, {"c": 0.5}, 0)
