"""Every model of configs/model over every kind of group, composed as the command composes it, but small."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from iamm.dataset.base import Dataset
from iamm.encoder.ngrams import NgramsEncoder
from iamm.fusion.by_scene import BySceneFusion
from iamm.model.scene_network import SceneNetwork
from iamm.run.build import build_datasets, build_model
from tests.composing import values_of

CONFIGS = Path(__file__).parents[2] / "configs"
MODELS = sorted(path.stem for path in (CONFIGS / "model").glob("*.yaml"))
SHAPES = ["dataset.shapes.train=40", "dataset.shapes.validation=7", "dataset.shapes.test=5"]
SMALL = ["dim=8", "encoder.image.channels=[8,8]", "label_smoothing=0.1", "threads=1"]
DATA = {
    "paired": ["dataset=[shapes]", *SHAPES],
    "single": ["dataset=[digits]"],
    "unpaired": ["dataset=[digits,shapes]", *SHAPES],
    "behaviour": ["dataset=[feeds]", "dataset.feeds.users=60", "dataset.feeds.items=30"],
    "missing": ["dataset=[shapes]", *SHAPES, "dataset.shapes.missing=0.4"],
}


@cache
def composed(model: str, data: str, *words: str) -> dict[str, Any]:
    return values_of(f"model={model}", *DATA[data], *SMALL, *words)


@cache
def loaded(data: str) -> list[Dataset]:
    return build_datasets(composed(MODELS[0], data))


def built(
    model: str,
    data: str,
    *,
    seed: int = 0,
    dropout: float = 0.0,
    share: str = "none",
    datasets: list[Dataset] | None = None,
) -> SceneNetwork:
    shared = [f"share.{part}={share}" for part in ("encoder", "head")]
    config = composed(model, data, f"seed={seed}", f"dropout={dropout}", *shared)
    network = build_model(config, [scene for dataset in datasets or loaded(data) for scene in dataset.scenes])
    if isinstance(network.fusion, BySceneFusion):
        network.fusion.scene_dropout = 0.0  # no scene is hidden by chance
    for encoder in network.encoders.values():
        if isinstance(encoder, NgramsEncoder):  # which begins with features of zero
            nn.init.normal_(encoder.embedding.weight.data[1:], std=0.1)
    return network


@pytest.fixture(scope="session")
def datasets():
    """The name of a kind of group → its data sets."""
    return loaded


@pytest.fixture(scope="session")
def network():
    """A model's name, a kind of group → the network, initialised from the seed."""
    return built


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model" in metafunc.fixturenames:
        metafunc.parametrize("model", MODELS)
    if "data" in metafunc.fixturenames:
        metafunc.parametrize("data", list(DATA))
