"""A small model of three products' reviews, and the fourth as its target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from iamm.dataset.base import Dataset
from iamm.model.scene_network import SceneNetwork
from iamm.run.build import build_datasets, build_model
from iamm.transfer.base import Material, material_of
from tests.composing import values_of

SMALL = (
    *("+experiment=migration_reviews", "target=book", "dim=8", "threads=1", "dropout=0"),
    *("dataset.review_domains.train=40", "dataset.review_domains.validation=6", "dataset.review_domains.test=14"),
)
BOOK = "review_domains_book"


@dataclass
class Task:
    """A model that no training has touched, with what its transfers may read."""

    model: SceneNetwork
    target: Dataset
    known: list[Dataset]

    def material(self, shots: int, draw: int = 0) -> Material:
        return material_of(self.target, self.known, shots, draw, 7, torch.device("cpu"), {})

    def losses(self) -> torch.Tensor:
        """The loss of each test example of the target, without dropout."""
        self.model.train(False)
        rows = torch.arange(self.target.size("test"))
        batch = Material(self.target, self.known, 7, torch.device("cpu")).batch("test", rows)
        outputs, _ = self.model.observe(batch)
        return torch.tensor(outputs[BOOK]["nll"])


@pytest.fixture
def task() -> Callable[..., Task]:
    """Overrides → the task, with prototypes as after a step of training."""

    def make(*words: str) -> Task:
        config = values_of(*SMALL, *words)
        datasets = build_datasets(config)
        target = next(dataset for dataset in datasets if dataset.name == BOOK)
        known = [dataset for dataset in datasets if dataset is not target]
        scenes = [scene for dataset in known for scene in dataset.scenes]
        model = build_model(config, scenes)
        for dataset in known:
            model(Material(dataset, [], 7, torch.device("cpu")).batch("train", torch.arange(20)))
            model.end_step()
        model.add_scene(target.scenes[0], scenes)
        return Task(model, target, known)

    return make


@pytest.fixture
def changed() -> Callable[[SceneNetwork, dict[str, torch.Tensor]], set[str]]:
    """Names of the parameters that differ from those of a state, or are new."""

    def names(model: SceneNetwork, before: dict[str, torch.Tensor]) -> set[str]:
        return {
            name for name, values in model.named_parameters() if name not in before or not values.equal(before[name])
        }

    return names
