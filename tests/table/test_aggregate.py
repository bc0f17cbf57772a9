from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import product

import pytest
from scipy import stats

from iamm.record.run_folder import RunFolder
from iamm.table.aggregate import build_table, within_scale
from iamm.table.plan import Column
from iamm.table.selection import read_needed
from iamm.table.statistics import Estimate, estimate, paired_t

ACCURACY, BLEU = Column("accuracy", "accuracy", "a", "both"), Column("BLEU", "bleu", "b", "both")
TRANSFER = Column("transfer", "accuracy", "a", "both", minus="alone")
VALUES = {"ours": (0.50, 0.60, 0.70), "rival": (0.40, 0.50, 0.55), "alone": (0.30, 0.50, 0.40)}


def both(run, by_seed=None):
    accuracy = (by_seed or VALUES)[run.row][run.seed]
    return {"a": {"accuracy": accuracy, "loss": 2 - accuracy}, "b": {"bleu": accuracy / 2}}


def only(run):
    """Row `alone` sees the pictures alone."""
    actual = both(run)
    return {"a": actual["a"]} if run.row == "alone" else actual


def but(*rows_and_seeds, becomes=None):
    """All is well but for these."""
    return lambda run: becomes if (run.row, run.seed) in rows_and_seeds else only(run)


@pytest.fixture
def make(make_table):
    """The table of three rows, one of them of pictures alone, and three seeds."""

    def build(outcome=only, result=lambda run: {}, **changes):
        defaults = {"rows": ("ours", "rival", "alone"), "columns": (ACCURACY, BLEU, TRANSFER), "rates": (0.1,)}
        return make_table(outcome, result, **{**defaults, "claims": None, **changes})

    return build


def cells(table, label):
    return {row.label: row.cells[label] for row in table.rows}


def gaps(cell):
    return cell.missing, cell.failed


# --- a whole table


def test_a_table_by_hand(make):
    """Student's t is 4.302653 with 2 degrees of freedom."""
    table = make()
    ours, rival = cells(table, "accuracy")["ours"], cells(table, "accuracy")["rival"]
    assert ours.values == pytest.approx({0: 50, 1: 60, 2: 70})
    half = 4.302653 * 10 / math.sqrt(3)
    assert ours.estimate == pytest.approx((60, 10, 60 - half, 60 + half, 3), rel=1e-6)
    assert ours.difference is None
    assert rival.difference.estimate.mean == pytest.approx(-35 / 3)
    assert rival.difference.p == pytest.approx(stats.ttest_rel([40, 50, 55], [50, 60, 70]).pvalue)
    assert rival.difference.adjusted == pytest.approx(
        3 * rival.difference.p
    )  # the smallest of three: alone has one scene
    transfer = cells(table, "transfer")
    assert transfer["ours"].values == pytest.approx({0: 20, 1: 10, 2: 30})
    assert transfer["rival"].values == pytest.approx({0: 10, 1: 0, 2: 15})
    assert transfer["rival"].difference == rival.difference
    assert [run.state for run in table.runs] == ["finished"] * 9
    assert table.orders == ()


def test_a_row_without_the_scene_lacks_nothing(make):
    table = make()
    for label in ("BLEU", "transfer"):
        cell = cells(table, label)["alone"]
        assert (cell.applies, cell.values, cell.estimate, cell.difference) == (False, {}, None, None)
        assert gaps(cell) == (0, 0)


def test_a_claim_stands_in_its_cell(make_table):
    table = make_table()
    assert {row: cell.claim for row, cell in cells(table, "BLEU").items()} == {"ours": 30.2, "rival": None}


def test_each_setting_has_its_own_runs(make_table):
    """The rates are chosen apart, and a column takes the values of its own setting."""
    settings = ("large", "small")
    columns = tuple(Column(f"{setting} accuracy", "accuracy", "a", setting) for setting in settings)
    reached = {("large", 0.1): 0.9, ("large", 0.2): 0.7, ("small", 0.1): 0.1, ("small", 0.2): 0.3}
    table = make_table(
        lambda run: {"a": {"accuracy": reached[run.setting, run.rate]}},
        lambda run: {"parameters": 1000 if run.setting == "large" else 100},
        settings=settings,
        columns=columns,
        rates=(0.1, 0.2),
        claims=None,
    )
    ours = table.rows[0]
    assert {setting: cost.rate for setting, cost in ours.costs.items()} == {"large": 0.1, "small": 0.2}
    assert [cell.estimate.mean for cell in ours.cells.values()] == pytest.approx([90, 30])
    assert [cost.parameters for cost in ours.costs.values()] == [1000, 100]


def test_wilcoxon_where_the_table_says_so(make):
    difference = cells(make(test="wilcoxon"), "accuracy")["rival"].difference
    assert difference.p == 0.25  # 2 of 2³ signs
    assert difference.verdict == "tie"


# --- what is missing, and what failed


def test_missing_and_failed_seeds_are_counted(make):
    table = make(lambda run: {("ours", 1): None, ("rival", 2): "diverged"}.get((run.row, run.seed), only(run)))
    actual = cells(table, "accuracy")
    assert {row: gaps(cell) for row, cell in actual.items()} == {"ours": (1, 0), "rival": (0, 1), "alone": (0, 0)}
    assert actual["rival"].estimate.n == 2
    difference = actual["rival"].difference
    assert difference.estimate[:1] + difference.estimate[4:] == (pytest.approx(-10), 1)  # seed 0 is all they share
    assert difference.verdict == "untested"
    assert actual["alone"].difference.estimate.n == 2


def test_a_row_whose_runs_all_failed(make):
    table = make(but(*product(["rival"], range(3)), becomes="out of memory"), rates=(0.1, 0.2))
    row = table.rows[1]
    for label in ("accuracy", "BLEU", "transfer"):
        cell = row.cells[label]
        assert (cell.values, cell.estimate, cell.difference, cell.applies) == ({}, None, None, True)
        assert gaps(cell) == (0, 3)
    cost = row.costs["both"]
    assert (cost.rate, cost.validation, cost.parameters, cost.within, cost.seconds) == (None, {}, None, None, None)
    assert len(cost.runs) == 6


def test_a_first_row_whose_runs_all_failed(make):
    table = make(but(*product(["ours"], range(3)), becomes="out of memory"))
    assert [cell.difference for cell in cells(table, "accuracy").values()] == [None] * 3
    assert [row.costs["both"].within for row in table.rows] == [None] * 3
    assert cells(table, "accuracy")["rival"].estimate.n == 3


def test_nothing_has_run_yet(make):
    table = make(lambda run: None)
    assert {gaps(cell) for row in table.rows for label, cell in row.cells.items() if cell.applies} == {(3, 0)}
    assert [row.label for row in table.rows if not row.cells["transfer"].applies] == ["alone"]


@pytest.mark.parametrize(("becomes", "counted"), [("diverged", (0, 1)), (None, (1, 0))])
def test_a_value_without_the_one_to_subtract(make, becomes, counted):
    table = make(but(("alone", 1), becomes=becomes))
    ours = cells(table, "transfer")["ours"]
    assert ours.values == pytest.approx({0: 20, 2: 30})
    assert gaps(ours) == counted
    assert gaps(cells(table, "accuracy")["ours"]) == (0, 0)


def test_what_the_first_row_is_subtracted_from_is_tested_against_zero(make):
    """Then the values are the differences, and the test is of these."""
    rival = cells(make(columns=(Column("gain", "accuracy", "a", "both", minus="ours"),)), "gain")["rival"]
    assert rival.values == pytest.approx({0: -10, 1: -10, 2: -15})
    assert rival.estimate == rival.difference.estimate
    assert rival.difference.p == pytest.approx(stats.ttest_1samp([-10, -10, -15], 0).pvalue)


def test_no_value_no_verdict(make):
    """Where nothing can be subtracted, the rows' difference is not shown either."""
    table = make(but(*product(["alone"], range(3)), becomes="out of memory"))
    rival = cells(table, "transfer")["rival"]
    assert (rival.values, rival.estimate, rival.difference, gaps(rival)) == ({}, None, None, (0, 3))
    assert cells(table, "accuracy")["rival"].difference is not None


def test_an_interrupted_run_is_missing_and_not_failed(make, tmp_path):
    table = make(but(("ours", 1)))
    folder = RunFolder(tmp_path / next(run.planned.folder for run in table.runs if run.state == "missing"))
    folder.path.mkdir()
    folder.write_status("running")
    again = build_table(table.plan, read_needed(table.plan, tmp_path))
    assert [run.state for run in again.runs].count("interrupted") == 1
    assert gaps(cells(again, "accuracy")["ours"]) == (1, 0)


def test_a_failed_seed_takes_the_rate_with_it(make):
    """The better rate failed once: both rates' qualities are kept, and the other one's three seeds are shown."""
    reached = {0.1: 0.5, 0.2: 0.7}

    def outcome(run):
        failed = (run.row, run.rate, run.seed) == ("ours", 0.2, 1)
        return "diverged" if failed else {"a": {"accuracy": reached[run.rate]}}

    table = make(outcome, rates=(0.1, 0.2), columns=(ACCURACY,), rows=("ours", "rival"))
    ours, rival = (row.costs["both"] for row in table.rows)
    assert (ours.rate, rival.rate) == (0.1, 0.2)
    assert ours.validation == pytest.approx(reached)
    assert table.rows[0].cells["accuracy"].estimate.n == 3


def random_outcome(draw):
    """What may become of a run: finished three times in six."""
    kinds = [None, "diverged", "interrupted", "finished", "finished", "finished"]
    return draw.choice(kinds), draw.uniform(0.2, 0.8)


def leave(run, finish, folder, kind, value):
    if kind == "finished":
        test = {"a": {"accuracy": value}, **({} if run.row == "alone" else {"b": {"bleu": value / 2}})}
        finish(folder, run, test, validation_quality=1 - value)
    elif kind is not None:
        path = RunFolder(folder / run.folder)
        path.path.mkdir(parents=True)
        path.write_status("failed" if kind == "diverged" else "running", error="diverged")


@pytest.mark.parametrize("number", range(8))
def test_nothing_is_dropped_and_the_order_of_ending_does_not_count(make_plan, finish, tmp_path, number):
    """Any sweep: each cell accounts for every seed, and runs that ended in another order make the same table."""
    draw = random.Random(number)
    columns = (ACCURACY, BLEU, TRANSFER, Column("mean", "quality", None, "both"))
    plan = make_plan(rows=("ours", "rival", "alone"), columns=columns, claims=None)
    became = {run: random_outcome(draw) for run in plan.runs}
    for folder in ("one", "other"):
        for run in draw.sample(plan.runs, len(plan.runs)):
            leave(run, finish, tmp_path / folder, *became[run])
    table, again = (build_table(plan, read_needed(plan, tmp_path / folder)) for folder in ("one", "other"))
    assert repr(table) == repr(again)
    for row in table.rows:
        rate = row.costs["both"].rate
        for cell in row.cells.values():
            assert not cell.applies or len(cell.values) + cell.missing + cell.failed == len(plan.seeds)
        done = {r.seed: v for r, (kind, v) in became.items() if (r.row, r.rate, kind) == (row.label, rate, "finished")}
        assert row.cells["accuracy"].values == pytest.approx({seed: 100 * value for seed, value in done.items()})
    assert sum(run.state == "failed" for run in table.runs) == sum(
        line.startswith("Failed: ") for line in table.notices
    )


# --- costs


def test_what_a_row_cost(make):
    """Means over the finished runs of the chosen rate; of the parameters the most."""
    table = make(
        but(("ours", 2)),
        lambda run: {"seconds": 10.0 + run.seed, "peak_memory_mib": 200.0 + run.seed, "parameters": 1000 + run.seed},
    )
    cost = table.rows[0].costs["both"]
    assert (cost.seconds, cost.memory, cost.parameters) == (10.5, 200.5, 1001)
    assert cost.validation == pytest.approx({0.1: (0.75 * 0.5 + 0.75 * 0.6) / 2})
    assert [run.planned.seed for run in cost.runs] == [0, 1, 2]


@pytest.mark.parametrize(
    ("tolerance", "parameters", "within"),
    [(0.1, 1100, True), (0.1, 1101, False), (0.1, 900, True), (0.1, 899, False), (0.0, 1000, True), (None, 9999, None)],
)
def test_parameters_within_the_tolerance(make, tolerance, parameters, within):
    counts = {"ours": 1000, "rival": parameters, "alone": 1000}
    table = make(result=lambda run: {"parameters": counts[run.row]}, tolerance=tolerance)
    assert table.rows[1].costs["both"].within is within


# --- results that cannot be trusted


@pytest.mark.parametrize("text", ["", '{"test": {', "[]", "3", '{"test": {}, "config": {}}'])
def test_a_spoilt_result_is_named_and_the_others_are_compared(make, tmp_path, text):
    table = make()
    path = tmp_path / table.runs[4].planned.folder / "result.json"
    path.write_text(text)
    run = build_table(table.plan, read_needed(table.plan, tmp_path)).runs[4]
    assert (run.state, run.result) == ("failed", None)
    assert run.reason.startswith(f"A result must be whole and of a run. Found {path}: ")
    assert "\n" not in run.reason


def test_rows_of_other_examples_are_not_paired(make):
    """The data of seed 1 changed between the two rows' runs."""
    sums = {("rival", 1): {"data": {"small": "changed"}}}
    table = make(result=lambda run: sums.get((run.row, run.seed), {}))
    actual = cells(table, "accuracy")["rival"]
    assert actual.estimate.n == 3
    assert actual.difference.estimate.n == 2
    assert "rival met other examples than ours in both, so they are not paired: seed 1." in table.notices


def test_quality_that_is_no_share_keeps_its_unit_and_its_interval(make_table):
    """R² below 0: quality is not shown in percent points, and its interval is not cut to 0 to 100."""
    reached = {0: -3.0, 1: -2.5, 2: -3.5}
    declared = {"measures": {"a": {"r2": {"scale": "raw", "lower_is_better": False}}}}
    table = make_table(
        lambda run: {"a": {"r2": reached[run.seed]}},
        lambda run: {**declared, "quality": {"a": reached[run.seed]}},
        columns=(Column("quality", "quality", None, "both"),),
        claims=None,
    )
    found = table.rows[0].cells["quality"].estimate
    assert found.mean == pytest.approx(-3.0)
    assert found.low < -3.5 < found.high < 0


def test_folds_that_share_training_examples_are_tested_with_more_variance(make_table):
    ours, rival = (row.cells["accuracy"] for row in make_table(overlap=2 / 7).rows)
    values = [list(cell.values.values()) for cell in (ours, rival)]
    assert rival.difference.p == paired_t(*values, 2 / 7) > paired_t(*values)
    assert ours.estimate == estimate(values[0], overlap=2 / 7)
    assert rival.difference.estimate.high - rival.difference.estimate.low > 0


def test_one_seed_in_common_is_not_tested(make_table):
    assert (
        make_table(seeds=(0,), choose_seeds=1, test="wilcoxon").rows[1].cells["BLEU"].difference.verdict == "untested"
    )


def test_the_interval_of_a_share_stays_within_its_scale():
    accuracy, loss = Column("accuracy", "accuracy", "a", "both"), Column("loss", "loss", "a", "both")
    wide = Estimate(99.0, 1.0, 97.5, 100.5, 3)
    assert within_scale(wide, accuracy) == Estimate(99.0, 1.0, 97.5, 100.0, 3)
    assert within_scale(Estimate(1.0, 1.0, -0.5, 2.5, 3), accuracy).low == 0.0
    assert within_scale(wide, loss) == wide
    assert within_scale(wide, replace(accuracy, minus="other")) == wide
    assert within_scale(Estimate(99.0, None, None, None, 1), accuracy).high is None
