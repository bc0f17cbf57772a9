from __future__ import annotations

import pytest

from iamm.table.plan import Claims, Column

ACCURACY = Column("accuracy", "accuracy", "a", "both")
FIRM = {"ours": (0.80, 0.82, 0.84, 0.86), "b": (0.70, 0.72, 0.75, 0.76), "c": (0.60, 0.63, 0.64, 0.66)}
"""Accuracy by row and seed: ours is far and steadily above the others."""


@pytest.fixture
def order_of(make_table):
    """(row → accuracy by seed, row → claim), None: missing, text: failed → (claimed, found, held)."""

    def find(values, claims, column=ACCURACY):
        def outcome(run):
            value = values[run.row][run.seed]
            return {"a": {"accuracy": value, "loss": value}} if isinstance(value, float) else value

        figures = {row: {column.label: claim} for row, claim in claims.items()}
        seeds = tuple(range(len(values["ours"])))
        table = make_table(
            outcome, rows=tuple(values), seeds=seeds, rates=(0.1,), columns=(column,), claims=Claims("D0", figures)
        )
        return table.orders and table.orders[0][1:]

    return find


def test_a_claim_that_holds(order_of):
    best_first = ("ours", "b", "c")
    assert order_of(FIRM, {"c": 85, "ours": 88, "b": 87}) == (best_first, best_first, "yes")


def test_a_claim_that_does_not(order_of):
    """The first row is still separated, but the others stand the other way round."""
    assert order_of(FIRM, {"ours": 88, "b": 85, "c": 87}) == (("ours", "c", "b"), ("ours", "b", "c"), "no")


@pytest.mark.parametrize("close", ["b", "c"])
def test_in_the_means_only(order_of, close):
    """One of the rows ties with the first one."""
    wide = {"b": (0.99, 0.50, 0.99, 0.70), "c": (0.90, 0.50, 0.90, 0.50)}
    values = {**FIRM, close: wide[close]}
    claims = {"ours": 88, "b": 87, "c": 85} if close == "b" else {"ours": 88, "b": 85, "c": 84}
    assert order_of(values, claims)[2] == "in the means only"


def test_lower_losses_come_first(order_of):
    loss = Column("loss", "loss", "a", "both")
    assert order_of(FIRM, {"ours": 3.0, "b": 2.0, "c": 1.0}, loss) == (("c", "b", "ours"), ("c", "b", "ours"), "yes")
    # as values of an accuracy the same claims would say the reverse


def test_the_first_row_may_be_claimed_to_be_worse(order_of):
    assert order_of({"ours": FIRM["b"], "b": FIRM["ours"]}, {"ours": 80, "b": 90}) == (
        ("b", "ours"),
        ("b", "ours"),
        "yes",
    )


def test_equal_claims_hold_either_way(order_of):
    assert order_of(FIRM, {"ours": 88, "b": 80, "c": 80})[2] == "yes"


def test_equal_means_are_no_order(order_of):
    assert order_of({"ours": (0.5, 0.6), "b": (0.6, 0.5)}, {"ours": 88, "b": 87})[2] == "no"


def test_rows_without_a_claim_do_not_matter(order_of):
    assert order_of(FIRM, {"ours": 80, "c": 70}) == (("ours", "c"), ("ours", "c"), "yes")


def test_without_a_claim_for_the_first_row_nothing_is_separated(order_of):
    """The table's tests are against the first row; b against c is not tested."""
    assert order_of(FIRM, {"b": 80, "c": 70}) == (("b", "c"), ("b", "c"), "in the means only")


def test_one_claim_is_no_order(order_of):
    assert order_of(FIRM, {"ours": 80}) == ()


@pytest.mark.parametrize("row", ["ours", "b", "c"])
def test_open_while_a_run_is_to_come(order_of, row):
    values = {**FIRM, row: (*FIRM[row][:3], None)}
    assert order_of(values, {"ours": 88, "b": 87, "c": 85}) == (("ours", "b", "c"), ("ours", "b", "c"), "open")


def test_open_while_another_learning_rate_is_to_come(make_table):
    """The chosen rate has all its seeds, but the other one may still be chosen."""

    def outcome(run):
        done = {"a": {"accuracy": FIRM[run.row][run.seed]}}
        return None if (run.row, run.rate, run.seed) == ("b", 0.002, 2) else done

    claims = Claims("D0", {"ours": {"accuracy": 88}, "b": {"accuracy": 87}})
    table = make_table(outcome, rows=("ours", "b"), columns=(ACCURACY,), claims=claims)
    assert table.rows[1].cells["accuracy"].missing == 0
    assert table.orders[0].held == "open"


def test_open_where_a_row_failed_altogether(order_of):
    values = {**FIRM, "b": ("diverged",) * 4}
    assert order_of(values, {"ours": 88, "b": 87, "c": 85}) == (("ours", "b", "c"), ("ours", "c"), "open")


def test_a_failed_seed_does_not_turn_the_order(order_of):
    """b failed at the one seed that is hard for all: its mean over the others, 0.55, is above that of ours, 0.5."""
    values = {"ours": (0.60, 0.62, 0.64, 0.14), "b": (0.54, 0.55, 0.56, "diverged")}
    assert order_of(values, {"ours": 88, "b": 87}) == (("ours", "b"), ("ours", "b"), "yes")


def test_open_where_no_seed_is_shared(order_of):
    assert order_of({"ours": (0.5, "x"), "b": ("x", 0.4)}, {"ours": 88, "b": 87}) == (("ours", "b"), (), "open")


def test_rows_of_other_examples_are_not_separated(make_table):
    claims = Claims("D0", {"ours": {"accuracy": 88}, "b": {"accuracy": 87}})
    table = make_table(
        lambda run: {"a": {"accuracy": FIRM[run.row][run.seed]}},
        lambda run: {"data": {"small": f"{run.row} {run.seed}"}},
        rows=("ours", "b"),
        columns=(ACCURACY,),
        claims=claims,
    )
    assert table.rows[1].cells["accuracy"].difference is None
    assert table.orders[0].held == "in the means only"


def test_what_is_subtracted_must_have_come_too(make_table):
    column = Column("transfer", "accuracy", "a", "both", minus="alone")
    claims = Claims("D0", {"ours": {"transfer": 3}, "b": {"transfer": 1}})
    values = {**FIRM, "alone": FIRM["c"]}

    def outcome(run):
        done = {"a": {"accuracy": values[run.row][run.seed]}}
        return None if (run.row, run.rate, run.seed) == ("alone", 0.001, 2) else done

    table = make_table(outcome, rows=("ours", "b", "alone"), columns=(column,), claims=claims)
    assert table.orders == (("transfer", ("ours", "b"), ("ours", "b"), "open"),)
