"""A run folder, and what a run would tell."""

from __future__ import annotations

import pytest

from iamm.engine.evaluate import Evaluation
from iamm.engine.observer import Conflict, Interval
from iamm.record.run_folder import RunFolder

CONFLICT = Conflict({"a": 5.0, "b": 0.125}, {("a", "b"): -0.5})


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    path = tmp_path / "run"
    path.mkdir()
    return RunFolder(path)


@pytest.fixture
def interval():
    """step → what `fit` tells of it; the loss is 1 / step."""

    def told(step: int) -> Interval:
        attended = {"a": {"a": 0.75, "b": 0.25}, "b": {"a": 0.5, "b": 0.5}}
        losses, weights = {"a": 1 / step, "b": 2.0}, {"a": 0.625, "b": 0.375}
        means = (losses, weights, attended, 0.5**step, 3.0, 17.0, CONFLICT)
        return Interval(step, 40, 1 + step // 10, *means, penalties={"span": 0.75})

    return told


@pytest.fixture
def evaluation() -> Evaluation:
    written = [f"word {number}|" for number in range(20)]
    return Evaluation(
        {"a": {"accuracy": 0.5, "loss": 1.25}, "b": {"bleu": 0.125, "loss": 2.5}},
        {"a": {"a": 0.25, "b": 0.75}},
        {"a": 0.5, "b": 0.125},
        {"a": [{"predicted": [1]}], "b": [{"written": written, "reference": ["a reference"] * 20}]},
    )
