from __future__ import annotations

import pytest

from iamm.table.plan import Column, PlannedRun

ACCURACY = Column("accuracy", "accuracy", "a", "both")


def fine(run):
    return {"a": {"accuracy": 0.5 + run.seed / 8 + run.rate * (1 + run.seed)}}


@pytest.fixture
def notices(make_table):
    """(what became of each run, what else its result says) → the lines of the table."""

    def collect(outcome=fine, result=lambda run: {}, **changes):
        return make_table(outcome, result, **{"columns": (ACCURACY,), "claims": None, **changes}).notices

    return collect


def test_a_better_rate_over_fewer_seeds_is_reported(notices):
    lines = notices(lambda run: "diverged" if (run.row, run.rate, run.seed) == ("rival", 0.002, 1) else fine(run))
    assert lines == (
        "1 of 12 planned runs are not finished: 1 failed.",
        "Failed: rival, both, learning rate 0.002, seed 1: diverged",
        "rival, both: learning rate 0.001 is taken, 0.002 validates better but has 2 finished seeds instead of 3.",
    )


def test_a_worse_rate_over_fewer_seeds_is_not(notices):
    lines = notices(lambda run: "diverged" if (run.row, run.rate, run.seed) == ("rival", 0.001, 2) else fine(run))
    assert len(lines) == 2


def test_other_examples(notices):
    """Rows are compared with the first one and from the one that is subtracted; each line names the seeds."""
    data = {"ours": "x", "rival": "y", "alone": "y"}

    def result(run):
        return {"data": {"small": data[run.row] if run.seed else "same"}}

    transfer = Column("transfer", "accuracy", "a", "both", minus="alone")
    assert notices(result=result, rows=tuple(data), columns=(ACCURACY, transfer)) == (
        "rival met other examples than ours in both, so they are not paired: seed 1, 2.",
        "alone met other examples than ours in both, so they are not paired: seed 1, 2.",
        "ours met other examples than alone in both, so they are not paired: seed 1, 2.",
    )


def test_rows_without_a_scene_in_common_are_not_compared_anyway(notices):
    def outcome(run):
        return fine(run) if run.row == "ours" else {"b": {"bleu": 0.5 + run.rate}}

    columns = (ACCURACY, Column("BLEU", "bleu", "b", "both"))
    assert notices(outcome, lambda run: {"data": {run.row: "sum"}}, columns=columns) == ()


def test_other_sizes(notices):
    assert notices(result=lambda run: {"parameters": 1000 if run.row == "ours" else 1101}) == (
        "rival has 1,101 parameters in both, ours 1,000: they differ by more than 10%.",
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"epochs": 4, "batch_size": 8}, "epochs 4 instead of 3, batch_size 8 instead of 4"),
        ({"accumulate": 2}, "accumulate 2 instead of 1"),
        ({"growth": 2.0}, "growth 2.0 instead of 1.0"),
        ({"patience": 2}, "patience 2 instead of None"),
    ],
    ids=str,
)
def test_another_budget(notices, changed, expected):
    budget = {"epochs": 3, "steps": None, "batch_size": 4, "accumulate": 1, "growth": 1.0, "patience": None}
    lines = notices(result=lambda run: {"config": {**budget, **(changed if run.row == "rival" else {})}})
    assert lines == (f"rival has another budget than ours in both: {expected}.",)


def test_transfers_of_unequal_length(notices):
    """One line for all rows; each with its steps."""
    transfers = {"ours": {"steps": 50}, "rival": {"steps": 20, "inner": 8}}
    moved = {"migration": {"labelled": 0, "unlabelled": False}}
    lines = notices(result=lambda run: {**moved, "config": {"patience": None, "transfer": transfers[run.row]}})
    assert lines == ("Transfers take other numbers of steps: 50: ours; 20 of 8 inner ones: rival.",)


def test_a_row_that_begins_from_another_run(notices):
    """The other run's steps and seconds are not counted, which a reader must know."""
    config = {"patience": None, "from": "outputs/iamm-small-seed0"}
    lines = notices(result=lambda run: {"config": config if run.row == "rival" else {"patience": None}})
    assert lines == ("rival begins from another run in both, whose training is not in its budget and costs.",)


@pytest.mark.parametrize("patience", [None, 2])
def test_more_steps_than_the_first_row(notices, patience):
    """The same settings, but more data: reported once, not for each seed. Who may stop early may also train longer."""
    steps = {"ours": 30, "rival": 60}
    lines = notices(result=lambda run: {"steps": steps[run.row], "config": {"patience": patience}})
    expected = "rival has another budget than ours in both: steps in all 60 instead of 30."
    assert lines == ((expected,) if patience is None else ())


@pytest.mark.parametrize(
    ("best", "expected"),
    [
        (0.001, ("learning rate 0.001 is at the edge of those tried: a better one may lie below.",)),
        (0.002, ()),
        (0.004, ("learning rate 0.004 is at the edge of those tried: a better one may lie above.",)),
    ],
)
def test_a_learning_rate_at_the_edge_of_three(notices, best, expected):
    rates = (0.001, 0.002, 0.004)
    runs = tuple(
        PlannedRun(row, "both", rate, seed, f"{row}-{rate}-{seed}")
        for row in ("ours", "rival")
        for rate in rates
        for seed in range(3)
    )

    def outcome(run):
        return {"a": {"accuracy": 0.5 + run.seed / 8 + 0.1 * (run.rate == (best if run.row == "ours" else 0.002))}}

    lines = notices(outcome, rates=rates, runs=runs)
    assert lines == tuple(f"ours, both: {line}" for line in expected)
