from __future__ import annotations

import json
from dataclasses import replace

import pytest

from iamm.engine.plan import RunState
from iamm.record.curve import Curve, curve_of
from iamm.record.recorder import Recorder


def lines(*records: tuple[str, int, dict[str, float]]) -> bytes:
    return "".join(
        json.dumps({"kind": kind, "step": step, "values": values}) + "\n" for kind, step, values in records
    ).encode()


def test_by_hand():
    """Intervals of 2 and 1 steps, then of 3: training losses (2·4 + 1·1)/3 = 3 and 0.5."""
    records = lines(
        ("train", 2, {"train/loss/a": 4.0, "train/weight/a": 1.0, "train/learning_rate": 0.1}),
        ("train", 3, {"train/loss/a": 1.0}),
        ("val", 3, {"val/accuracy/a": 0.9}),
        ("test", 3, {"test/accuracy/a": 0.25, "test/loss/a": 2.5, "test/quality": 0.25, "test/scene_weight/a/a": 1.0}),
        ("train", 6, {"train/loss/a": 0.5}),
        ("val", 6, {"val/accuracy/a": 0.9}),
        ("test", 6, {"test/accuracy/a": 0.75, "test/loss/a": 1.5}),
    )
    first, second = curve_of(records)["a"]
    assert first == {"train_loss": 3.0, "accuracy": 0.25, "loss": 2.5}
    assert second == {"train_loss": 0.5, "accuracy": 0.75, "loss": 1.5}


def test_a_scene_that_a_phase_leaves_out_has_no_training_loss():
    records = lines(("train", 1, {"train/loss/a": 4.0}), ("test", 1, {"test/loss/a": 2.0, "test/loss/b": 3.0}))
    assert curve_of(records) == {"a": [{"train_loss": 4.0, "loss": 2.0}], "b": [{"loss": 3.0}]}


def test_without_measures_on_test_there_is_none():
    assert curve_of(lines(("train", 1, {"train/loss/a": 4.0}), ("val", 1, {"val/loss/a": 2.0}))) == {}


def test_each_validation_is_followed_by_test(folder, interval, evaluation, monkeypatch):
    """Of the intervals' losses 1/2 and 1/4 of scene a over two steps each the mean is 3/8."""
    tested = replace(evaluation, measures={"a": {"loss": 7.0}, "b": {"loss": 5.0}})
    monkeypatch.setattr("iamm.record.curve.evaluate", lambda model, datasets, split, device: {"test": tested}[split])
    recorder = Recorder(folder)
    observers = [recorder, Curve(recorder, lambda: None, [], None)]
    for observer in observers:
        observer.trained(interval(2))
        observer.trained(interval(4))
    for observer in observers:
        observer.validated(RunState(step=4, epoch=1, seconds=2.5), evaluation)
    recorder.close()
    found = curve_of(folder.records_so_far())
    assert found["a"] == [{"train_loss": pytest.approx(0.375), "loss": 7.0}]
    assert found["b"] == [{"train_loss": pytest.approx(2.0), "loss": 5.0}]
