from __future__ import annotations

import torch

from iamm.engine.observer import BatchResult, StepResult, Totals
from iamm.engine.plan import RunState

CPU = torch.device("cpu")


def part(losses, observed, attended=None, gram=None):
    seen, products = (None if given is None else torch.tensor(given) for given in (attended, gram))
    return BatchResult(torch.tensor(losses), torch.tensor(observed), seen, products, {})


def stepped(losses, observed, attended=None, gram=None, norm=0.0):
    weights = torch.tensor([0.5, 0.25, 0.25]) * torch.tensor(observed)
    return StepResult(*part(losses, observed, attended, gram), weights, torch.tensor(norm))


def test_accumulated_batches_are_one_step():
    """A scene's loss is the mean over the batches that hold it, not over all of them."""
    parts = [part([2.0, 6.0, 0.0], [True, True, False]), part([4.0, 0.0, 0.0], [True, False, False])]
    whole = StepResult.joined(parts, torch.tensor([0.5, 0.125, 0.0]), torch.tensor(3.0), {})
    assert whole.losses.tolist() == [3.0, 6.0, 0.0]
    assert whole.weights.tolist() == [0.5, 0.125, 0.0]
    assert whole.observed.tolist() == [True, True, False]
    assert whole.scene_weights is None
    assert whole.gradient_norm == 3.0


def test_an_interval_holds_means():
    totals = Totals(("a", "b", "c"), CPU)
    totals.add(stepped([2.0, 6.0, 0.0], [True, True, False], [[0.5, 0.25, 0.25]] * 3, norm=1.0))
    totals.add(stepped([4.0, 0.0, 0.0], [True, False, False], [[0.25, 0.75, 0.0]] * 3, norm=2.0))
    interval = totals.interval(RunState(step=8, epoch=2), total=20, rate=0.125)
    assert interval.losses == {"a": 3.0, "b": 6.0, "c": 0.0}
    assert interval.weights == {"a": 0.5, "b": 0.125, "c": 0.0}
    assert interval.scene_weights["b"] == {"a": 0.375, "b": 0.5, "c": 0.125}
    assert (interval.step, interval.total, interval.epoch, interval.rate, interval.gradient_norm) == (
        8,
        20,
        3,
        0.125,
        1.5,
    )
    assert interval.steps_per_second > 0
    assert interval.conflict is None


def test_conflict_by_hand():
    """Norms √25, √100 and 0, and 30/(5·10); then b is not there and c pulls against a. The last step is reported."""
    totals = Totals(("a", "b", "c"), CPU)
    totals.add(stepped([1.0, 1.0, 1.0], [True, True, True], gram=[[25.0, 30.0, 0.0], [30.0, 100.0, 0.0], [0.0] * 3]))
    conflict = totals.interval(RunState(), total=20, rate=0.125).conflict
    assert conflict.norms == {"a": 5.0, "b": 10.0}
    assert conflict.cosines == {("a", "b"): 0.6}
    totals.add(stepped([1.0, 0.0, 1.0], [True, False, True], gram=[[25.0, 0.0, -25.0], [0.0] * 3, [-25.0, 0.0, 25.0]]))
    conflict = totals.interval(RunState(), total=20, rate=0.125).conflict
    assert conflict.norms == {"a": 5.0, "c": 5.0}
    assert conflict.cosines == {("a", "c"): -1.0}
