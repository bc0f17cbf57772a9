"""Planned runs in a small size, trained in this process."""

from __future__ import annotations

import pytest

from iamm.config.check.values import check_composed
from iamm.config.command_line import plain_line
from iamm.config.compose import composed, named_choices
from iamm.run.planned import Cell

SHAPES = ("dataset.shapes.train=64", "dataset.shapes.validation=16", "dataset.shapes.test=16")
SMALL = (
    *("dim=8", "epochs=1", "log.pictures=0", "threads=1", "device=cpu"),
    *("encoder.image.channels=[8,8]", "head.generation.max_length=3"),
)


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Overrides → the planned run, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def plan(*words: str) -> Cell:
        shapes = SHAPES if not any(word.startswith("dataset=") for word in words) else ()
        (found,) = composed(plain_line([*SMALL, *shapes, *words]))
        check_composed(found.values, found.overrides)
        return Cell(found.values, named_choices(found.chosen, found.values))

    return plan
