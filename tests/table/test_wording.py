from __future__ import annotations

import math

import pytest

from iamm.table.plan import Column
from iamm.table.table import TableCell
from iamm.table.write.wording import count, empty, figure, number, probability, run_groups, verdict


@pytest.mark.parametrize(
    ("value", "decimals", "sign", "text"),
    [
        (88.695, 2, "", "88.69"),  # the float lies below the half
        (88.7, 2, "", "88.70"),
        (-0.004, 2, "", "0.00"),
        (-0.004, 2, "+", "+0.00"),
        (-0.006, 2, "+", "-0.01"),
        (3.0, 2, "+", "+3.00"),
        (0.693147, 4, "", "0.6931"),
        (12.34, 1, "", "12.3"),
        (1234.5, 0, "", "1234"),
        (math.nan, 2, "", "–"),
        (math.inf, 2, "+", "–"),
        (-math.inf, 4, "", "–"),
        (None, 2, "+", "–"),
    ],
)
def test_number(value, decimals, sign, text):
    assert number(value, decimals, sign) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(1.0, "1.00"), (0.05, "0.0500"), (0.0198039, "0.0198"), (1.23456e-7, "1.23e-07"), (math.nan, "–")],
)
def test_probability(p, text):
    assert probability(p) == text


def test_losses_have_more_decimals():
    actual = {
        name: Column(name, name, "a", "both").kind.decimals for name in ("accuracy", "bleu", "loss", "perplexity")
    }
    assert actual == {"accuracy": 2, "bleu": 2, "loss": 4, "perplexity": 4}


def cell(done=0, missing=0, failed=0, applies=True):
    return TableCell(dict.fromkeys(range(done), 1.0), None, None, None, missing, failed, applies)


@pytest.mark.parametrize(
    ("actual", "text"),
    [
        (cell(5), "5"),
        (cell(2, 2, 1), "2 of 5: 2 missing, 1 failed"),
        (cell(4, failed=1), "4 of 5: 1 failed"),
        (cell(4, missing=1), "4 of 5: 1 missing"),
    ],
)
def test_count(actual, text):
    assert count(actual) == text


@pytest.mark.parametrize(
    ("actual", "text"),
    [
        (cell(missing=3), "missing"),
        (cell(failed=3), "failed"),
        (cell(missing=1, failed=2), "1 missing, 2 failed"),
        (cell(missing=3, applies=False), "–"),
    ],
)
def test_empty(actual, text):
    assert empty(actual) == text


def test_a_claim_is_as_in_the_document():
    assert [figure(claim) for claim in (88.7, 30, None)] == ["88.7", "30", "–"]


def test_verdict(make_table):
    """The first row has none; where no seed of a row can be paired, or one alone, nothing is tested."""

    def outcome(run):
        actual = {"a": {"accuracy": 0.5 + run.rate + 0.01 * run.seed}, "b": {"bleu": 0.25}}
        return None if (run.row, run.seed) in {("ours", 0), ("rival", 1), ("rival", 2)} else actual

    table = make_table(outcome)
    assert [verdict(table, row, table.plan.columns[0]) for row in table.rows] == ["", "untested"]


def test_run_groups_are_in_the_order_of_the_plan(make_table):
    actual = [(row.label, rate, [run.planned.seed for run in runs]) for row, _, rate, runs in run_groups(make_table())]
    seeds = [0, 1, 2]
    assert actual == [(row, rate, seeds) for row in ("ours", "rival") for rate in (0.001, 0.002)]
