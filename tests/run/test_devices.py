"""A training on two processes is that of one: the same curve and the same weights, within rounding."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from iamm.engine.checkpoint import load_saved
from iamm.errors import ConfigError
from iamm.run.job import train_job
from iamm.run.planned import Cell

WORDS = ("dropout=0", "log.interest=false", "log.every=1", "optimizer=sgd", "optimizer.lr=0.1")
"""SGD, since Adam turns the rounding of a gradient near zero into a step of full length."""


def trained(cell: Cell, **changes) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    """The values of each record, without times, and the chosen weights."""
    name = f"devices{changes.get('devices')}"
    cell = replace(cell, values={**cell.values, **changes, "output_dir": name})
    train_job(cell)
    lines = [json.loads(line) for line in cell.folder.records.read_text().splitlines()]
    values = [
        {tag: value for tag, value in line["values"].items() if not tag.startswith("time/")}
        for line in lines
        if "values" in line
    ]
    return values, load_saved(cell.folder.best)["model"]


def same(cell: Cell, curve: float, weights: float) -> None:
    alone, two = trained(cell), trained(cell, devices=2)
    assert len(alone[0]) == len(two[0]) > 5
    for one, other in zip(alone[0], two[0], strict=True):
        assert other == pytest.approx(one, rel=curve, abs=curve)
    torch.testing.assert_close(two[1], alone[1], rtol=weights, atol=weights)


def test_two_processes_train_as_one(planned):
    """Seven examples a step are four and three, and the last step of a pass is one and none."""
    same(planned(*WORDS, "batch_size=7", "dataset.shapes.train=15", "epochs=2"), 1e-4, 1e-5)


CASES = {
    "surgery": ("weighting=gradient_surgery", "accumulate=2"),
    "attention": ("weighting=scene_attention", "dataset.shapes.missing=0.3"),
    "adversarial": ("dataset=[digits,shapes]", "fusion=domain_adversarial", "weighting=uncertainty"),
    "growing": ("growth=2", "weighting=random", "log.conflict=true"),
}


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one_whatever_the_method(name, planned):
    """Eight steps, since rounding that reaches a kink of ReLU or of a maximum grows from there on."""
    same(planned(*WORDS, "batch_size=7", "epochs=2", "steps=4", *CASES[name]), 5e-4, 1e-5)


@pytest.mark.long
def test_a_run_goes_on_with_its_number_of_processes_alone(planned):
    cell = planned(*WORDS, "devices=2", "dropout=0.1", "epochs=2")
    train_job(cell)
    whole = load_saved(cell.folder.best)["model"]
    cell.folder.result.unlink()
    with pytest.raises(ConfigError, match="Found devices=1, begun with 2: add devices=2"):
        train_job(replace(cell, values={**cell.values, "devices": None}))
    train_job(cell)
    torch.testing.assert_close(load_saved(cell.folder.best)["model"], whole, rtol=0, atol=0)
