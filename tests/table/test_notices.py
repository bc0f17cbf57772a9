from __future__ import annotations

import pytest

from iamm.table.notices import empty, failures, mixed, unfinished, weak
from iamm.table.plan import Column, PlannedRun
from iamm.table.table import Row, Run, TableCell

ACCURACY = Column("accuracy", "accuracy", "a", "both")


def run(state="finished", reason="", seed=0, rate=0.002):
    return Run(PlannedRun("ours", "both", rate, seed, "folder"), state, reason, {} if state == "finished" else None)


def results(*changes):
    plain = {"commit": "abc", "versions": {"torch": "2.13.0", "numpy": "2.4.6"}, "threads": 1, "device": "cpu"}
    return [{**plain, "notices": [], **change} for change in changes]


def test_a_whole_and_equal_table_needs_no_notice(make_table):
    assert make_table().notices == ()


def test_what_is_not_finished_is_counted_by_state():
    states = ["missing", "finished", "failed", "running", "missing", "interrupted", "finished"]
    assert list(unfinished([run(state) for state in states])) == [
        "5 of 7 planned runs are not finished: 1 failed, 1 interrupted, 2 missing, 1 running. "
        "Everything here is provisional, learning rates too."
    ]


def test_a_table_whose_other_runs_all_failed_is_final():
    assert list(unfinished([run(), run("failed")])) == ["1 of 2 planned runs are not finished: 1 failed."]


def test_each_failure_says_where_and_why_in_one_line():
    runs = [run("failed", "CUDA error: busy\nmore\nlines", 3), run(), run("failed", " \n", 4, 1e-4), run("missing")]
    assert list(failures(runs)) == [
        "Failed: ours, both, learning rate 0.002, seed 3: CUDA error: busy",
        "Failed: ours, both, learning rate 0.0001, seed 4: it gave no reason",
    ]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("x", "accurcy", "a", "both"), "x is empty: no finished run in both has accurcy of a."),
        (Column("x", "bleu", "c", "both"), "x is empty: no finished run in both has bleu of c."),
        (Column("x", "accuracy", None, "both"), "x is empty: no finished run in both has accuracy of every scene."),
        (
            Column("x", "bleu", "b", "both", minus="rival"),
            "x is empty: no finished run in both has bleu of b, or none to subtract of rival.",
        ),
    ],
)
def test_a_column_that_stays_empty_is_named(make_table, column, expected):
    """Of a misspelt measure or scene, or a subtracted row that has no such scene."""

    def outcome(run):
        text = {"b": {"bleu": 0.25}} if run.row == "ours" else {}
        return {"a": {"accuracy": 0.5 + run.seed / 8}} | text

    assert make_table(outcome, columns=(ACCURACY, column), claims=None).notices[0] == expected


def test_a_column_whose_setting_has_not_begun_is_not_empty_yet(make_table):
    table = make_table(lambda run: None, claims=None)
    assert list(empty(table.plan, table.rows, table.runs)) == []


def cell(applies=True):
    return TableCell({}, None, None, None, 0, 0, applies)


@pytest.mark.parametrize(
    ("test", "seeds", "rows", "warned"),
    [
        ("t", 2, 9, False),
        ("t", 1, 2, True),
        ("wilcoxon", 6, 2, False),  # p ≥ 2/64
        ("wilcoxon", 6, 3, True),  # times two comparisons
        ("wilcoxon", 7, 4, False),  # 3 · 2/128
        ("wilcoxon", 7, 5, True),
        ("wilcoxon", 1, 1, False),  # nothing is compared
    ],
)
def test_too_few_seeds(make_plan, test, seeds, rows, warned):
    names = tuple(f"row {number}" for number in range(rows))
    plan = make_plan(rows=names, columns=(ACCURACY,), seeds=tuple(range(seeds)), test=test, claims=None)
    lines = list(weak(plan, [Row(name, {"accuracy": cell()}, {}) for name in names]))
    expected = (
        f"Too few seeds to separate rows: with {seeds}, and corrected for {rows - 1} comparison{'s' * (rows > 2)}, "
        f"the {test} test gives no p below 0.05."
    )
    assert lines == ([expected] if warned else [])


def test_only_what_is_compared_counts(make_plan):
    """One measure in two columns is one comparison; a scene that a row lacks is none."""
    columns = (ACCURACY, Column("transfer", "accuracy", "a", "both", minus="ours"), Column("BLEU", "bleu", "b", "both"))
    plan = make_plan(columns=columns, seeds=tuple(range(6)), test="wilcoxon", claims=None)
    ours = Row("ours", {"accuracy": cell(), "transfer": cell(False), "BLEU": cell()}, {})
    rival = {"accuracy": cell(), "transfer": cell(), "BLEU": cell(False)}
    assert list(weak(plan, [ours, Row("rival", rival, {})])) == []
    assert len(list(weak(plan, [ours, Row("rival", {**rival, "BLEU": cell()}, {})]))) == 1


def test_the_first_row_may_be_what_is_subtracted(make_plan):
    """It has no value in that column then, but the others are compared with it."""
    plan = make_plan(columns=(Column("gain", "accuracy", "a", "both", minus="ours"),), seeds=(0,), claims=None)
    assert len(list(weak(plan, [Row("ours", {"gain": cell(False)}, {}), Row("rival", {"gain": cell()}, {})]))) == 1


def test_equal_runs_are_not_mixed():
    assert list(mixed(results({}, {}))) == []
    assert list(mixed([])) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([{}, {"commit": "0ff"}, {}], "The runs are of several commits: 0ff (runs: 1), abc (runs: 2)."),
        ([{}, {"commit": None}], "The runs are of several commits: abc (runs: 1), unknown (runs: 1)."),
        ([{"threads": 2}, {}], "The runs are of several numbers of threads: 1 (runs: 1), 2 (runs: 1)."),
        ([{"device": "cuda:0"}, {}], "The runs are of several devices: cpu (runs: 1), cuda:0 (runs: 1)."),
        (
            [{"versions": {"torch": "2.13.0"}}, {}],
            "The runs are of several versions of numpy: 2.4.6 (runs: 1), unknown (runs: 1).",
        ),
        ([{"commit": "abc+changes"}] * 2, "Made from code with changes that are in no commit: 2 of 2 finished runs."),
    ],
)
def test_what_was_mixed(changes, expected):
    assert list(mixed(results(*changes))) == [expected]


def test_what_data_sets_say_is_repeated_once(make_table):
    notices = {("ours", 0): ["b", "a"], ("ours", 1): ["a"], ("rival", 2): ["c"]}
    assert make_table(result=lambda run: {"notices": notices.get((run.row, run.seed), [])}).notices == ("b", "a", "c")
