"""A log of who met the target's items, without labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from iamm.dataset.base import Dataset
from iamm.dataset.vocabulary import UNKNOWN
from iamm.model.scene_network import SceneNetwork
from iamm.model.sharing import pooled
from iamm.run.build import build_datasets, build_model
from iamm.transfer.base import Material, material_of
from iamm.transfer.unlabelled_log import UnlabelledLogTransfer
from tests.composing import values_of

WORDS = (
    *("+experiment=recommendation", "dataset.feeds.users=60", "dataset.feeds.impressions=40", "target=shop", "dim=8"),
    *("dataset.feeds.history=others", "model=gaussian_process", "threads=1"),
)


@pytest.fixture
def feeds() -> tuple[SceneNetwork, Dataset, list[Dataset]]:
    """A model of two feeds, the third one as its target, and the two."""
    config = values_of(*WORDS)
    *known, target = build_datasets(config)
    scenes = [scene for dataset in known for scene in dataset.scenes]
    model = build_model(config, scenes)
    model.add_scene(target.scenes[0], scenes)
    return model, target, known


def test_the_encoder_learns_of_items_from_all_known_scenes_and_the_log(feeds):
    """Against the encoder's own computation; labels of the target change nothing, and neither does its test."""
    model, target, known = feeds
    scenes = [scene for dataset in known for scene in dataset.scenes]
    encoder = model.encoder("feeds_shop")
    before = encoder.vectors.clone()

    def adapted(given: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
        UnlabelledLogTransfer().adapt(model, material_of(given, known, 0, 0, 7, torch.device("cpu"), {}))
        return encoder.vectors.clone(), encoder.levels.clone()

    vectors, levels = adapted(target)
    assert not torch.equal(vectors, before)
    encoder.learn_items(pooled(scenes, "encoder").splits["train"], target.scenes[0].splits["train"])
    assert torch.equal(encoder.vectors, vectors)
    train = target.scenes[0].splits["train"]
    splits = {"train": replace(train, targets=1 - train.targets)}
    other = adapted(Dataset(target.name, (replace(target.scenes[0], splits=splits),)))
    assert torch.equal(other[0], vectors)
    assert torch.equal(other[1], levels)
    assert UnlabelledLogTransfer.reads_unlabelled
    assert not UnlabelledLogTransfer.reads_labels


def test_a_control_is_measured_with_one_other_users_history(feeds):
    """Row by row against a naive loop; what a transfer reads and what a history belongs to stay as they are."""
    _, target, _ = feeds
    (scene,), (shuffled,) = target.scenes, UnlabelledLogTransfer(control="shuffled").measured(target).scenes
    assert UnlabelledLogTransfer().measured(target) is target
    assert set(shuffled.splits) == {"validation", "test"}
    for name, split in shuffled.splits.items():
        own = scene.splits[name].inputs
        users = own["user"].tolist()
        following = dict(zip(sorted(set(users)), [*sorted(set(users))[1:], min(users)], strict=True))
        for row, user in enumerate(users):
            other = users.index(following[user])
            assert other != row
            for field, values in split.inputs.items():
                of = other if field in ("history", "values", "ages") else row
                assert torch.equal(values[row], own[field][of]), field
        assert torch.equal(split.targets, scene.splits[name].targets)


def test_it_needs_items_with_ids(feeds):
    model, target, known = feeds
    material = material_of(target, known, 0, 0, 7, torch.device("cpu"), {})
    UnlabelledLogTransfer().check(model, material)
    material.target.scenes[0].splits["unlabelled"].inputs["candidate"].fill_(UNKNOWN)
    with pytest.raises(ValueError, match=r"Found no item of feeds_shop with one: set catalogue=true in the data set\."):
        UnlabelledLogTransfer().check(model, material)


def test_it_needs_an_encoder_that_reads_logs(task):
    made = task()
    with pytest.raises(ValueError, match=r"learns of items from it\. Found RecurrentEncoder: choose model=gaussian"):
        UnlabelledLogTransfer().check(made.model, Material(made.target, made.known, 7, torch.device("cpu")))
