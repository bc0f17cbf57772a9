"""The curve of a training: what each scene measures on test after every epoch, beside its training loss."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence

import torch

from iamm.dataset.base import Dataset
from iamm.engine.evaluate import Evaluation, Network, evaluate
from iamm.engine.observer import Interval
from iamm.engine.plan import RunState
from iamm.record.recorder import Recorder


class Curve:
    """An observer that measures the model of each validation on test too, and records it; it selects nothing.

    Args:
        recorder: of the run.
        model: gives the model that is validated.
        datasets: of the run.
        device: of the model.
    """

    def __init__(
        self, recorder: Recorder, model: Callable[[], Network], datasets: Sequence[Dataset], device: torch.device
    ) -> None:
        self.recorder, self.model, self.datasets, self.device = recorder, model, datasets, device

    def trained(self, interval: Interval) -> None:
        """The recorder has it already."""

    def validated(self, state: RunState, evaluation: Evaluation) -> None:
        tested = evaluate(self.model(), self.datasets, "test", self.device)
        place = (state.step, state.epoch, tested)
        self.recorder.evaluated("test", *place, seconds=state.seconds, within=state.phase)


def curve_of(records: bytes) -> dict[str, list[dict[str, float]]]:
    """Scene → for each epoch the measures on test, and `train_loss`, the mean of the loss over the epoch's steps.

    Args:
        records: of a run before its end; without measures on test the curve is empty.
    """
    curve: dict[str, list[dict[str, float]]] = defaultdict(list)
    losses: dict[str, float] = defaultdict(float)  # sums over the steps of the epoch
    start = before = 0
    for record in map(json.loads, records.splitlines()):
        values = {tuple(tag.split("/")): value for tag, value in record["values"].items()}
        if record["kind"] == "train":
            for (_, measure, *scene), value in values.items():
                if measure == "loss":
                    losses[scene[0]] += (record["step"] - before) * value
            before = record["step"]
        elif record["kind"] == "test":
            tested: dict[str, dict[str, float]] = defaultdict(dict)
            for (_, measure, *scene), value in values.items():
                if len(scene) == 1:
                    tested[scene[0]][measure] = value
            for name, measures in tested.items():
                trained = {"train_loss": losses[name] / (record["step"] - start)} if name in losses else {}
                curve[name].append({**trained, **measures})
            losses.clear()
            start = before
    return dict(curve)
