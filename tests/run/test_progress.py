from __future__ import annotations

import io

from rich.console import Console

from iamm.engine.evaluate import Evaluation
from iamm.engine.plan import RunState
from iamm.measure import LOSS, Measure, as_json
from iamm.run.job import show_measures
from iamm.run.progress import ProgressLine

DECLARED = {
    "digits": {"calibration": Measure("calibration", "raw", lower_is_better=True), "loss": LOSS},
    "texts": {"bleu": Measure("bleu"), "loss": LOSS},
}
FOUND = {"digits": {"calibration": 0.07, "loss": 1.5}, "texts": {"bleu": 0.3025, "loss": 2.25}}


def printed(show) -> list[list[str]]:
    """Each line's words."""
    console = Console(file=io.StringIO(), width=160)
    show(console)
    return [line.split() for line in console.file.getvalue().splitlines()]


def test_each_measure_is_shown_on_its_own_scale():
    lines = printed(lambda console: show_measures(console, FOUND, {"test": FOUND, "measures": as_json(DECLARED)}))
    assert ["scene", "calibration", "loss", "bleu"] in lines
    assert ["digits", "0.0700", "1.5000", "–"] in lines
    assert ["texts", "–", "2.2500", "30.25"] in lines


def test_a_validation_is_one_line():
    evaluation = Evaluation(FOUND, {}, {"digits": 0.9, "texts": 0.3}, {})

    def show(console):
        ProgressLine(console, 5, DECLARED).validated(RunState(epoch=2, best_epoch=2), evaluation)

    (line,) = printed(show)
    expected = "epoch 2/5 validation digits calibration 0.0700 loss 1.500 texts bleu 30.25 loss 2.250 (best so far)"
    assert line == expected.split()
