"""The quality of a scene while the other views of its instances are absent."""

from __future__ import annotations

import pytest
import torch

from iamm.dataset.base import Dataset, Scene
from iamm.dataset.fields import CLASS, ITEMS, PIXELS
from iamm.dataset.split import Split
from iamm.engine.missing import missing_views

COUNT = 20


class Reader:
    """Its quality on a scene is the share of instances whose other view it has."""

    def train(self, mode=True):
        assert not mode

    def observe(self, batch, only=None):
        (other,) = (part for name, part in batch.items() if name != only)
        (values,) = other.inputs.values()
        assert other.present.equal(values.flatten(1).any(dim=1))  # what is absent is empty
        return {only: other.present.tolist()}, {}

    def measure(self, outputs):
        ((name, parts),) = outputs.items()
        present = [each for part in parts for each in part]
        assert len(present) == COUNT
        return {name: {"loss": 1.0 - sum(present) / COUNT}}, {name: sum(present) / COUNT}


def scene(name, field, values, absent=()):
    present = torch.tensor([row not in absent for row in range(COUNT)])
    values = values * present.view(-1, *[1] * (values.dim() - 1))
    split = Split({"x": values}, torch.zeros(COUNT, dtype=torch.int64), present)
    return Scene(name, "numbers", "ranking", {"test": split}, {"x": field}, CLASS)


def views(absent=()):
    pixels = torch.full((COUNT, 1, 2, 2), 255, dtype=torch.uint8)
    items = torch.full((COUNT, 3), 5)
    return Dataset("pair", (scene("picture", PIXELS, pixels), scene("items", ITEMS, items, absent)))


def test_quality_falls_with_the_share_of_missing_views():
    alone = Dataset("alone", (scene("other", ITEMS, torch.full((COUNT, 3), 5)),))
    dataset = views()
    report = missing_views(Reader(), [dataset, alone], torch.device("cpu"), 0)
    assert list(report) == ["picture", "items"]
    for values in report.values():
        assert values["quality"] == pytest.approx([1 - tenth / 10 for tenth in range(11)])
        assert (values["alone"], values["loss_alone"]) == (0, 1)
        assert values["robustness"] == pytest.approx(0.5)
    assert dataset.scenes[1].splits["test"].present.all()


def test_views_that_are_absent_anyway_stay_so():
    """Half of the other views are absent at first; of none there is no robustness."""
    half = missing_views(Reader(), [views(range(10))], torch.device("cpu"), 0)["picture"]
    assert half["quality"][0] == 0.5
    assert 0.2 < half["robustness"] < 0.8
    assert missing_views(Reader(), [views(range(COUNT))], torch.device("cpu"), 0)["picture"]["robustness"] is None
