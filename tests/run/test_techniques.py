"""Techniques of a training in whole runs: left anywhere and resumed, a run ends with the same bits."""

from __future__ import annotations

import pytest
import torch

from iamm.engine.checkpoint import load_saved
from iamm.run.job import train_job
from tests.run.test_phases import leave, same

WORDS = ("epochs=2", "steps=2", "log.every=1", "checkpoint.steps=1")


@pytest.mark.parametrize("technique", ["average=0.5", "average=swa"])
@pytest.mark.parametrize("steps", [1, 4])
def test_left_and_resumed_the_same(technique, steps, planned):
    """After the first step, and at the end of the last epoch, before its validation."""
    whole, cell = planned(*WORDS, technique, "output_dir=whole"), planned(*WORDS, technique)
    train_job(whole)
    leave(cell, steps)
    train_job(cell)
    same(whole.folder, cell.folder)


def test_an_average_changes_what_is_saved_and_not_what_is_trained(planned):
    plain, averaged = planned(*WORDS), planned(*WORDS, "average=0.5")
    for cell in (plain, averaged):
        train_job(cell)
    assert plain.name != averaged.name
    saved = [load_saved(cell.folder.best)["model"] for cell in (plain, averaged)]
    assert not torch.equal(*(one["heads.shapes_image.output.weight"] for one in saved))
    trained = [load_trained(cell.folder) for cell in (plain, averaged)]
    torch.testing.assert_close(*trained, rtol=0, atol=0)


def load_trained(folder) -> dict[str, torch.Tensor]:
    """The trained weights of the last checkpoint."""
    return torch.load(folder.last, weights_only=True)["model"]
