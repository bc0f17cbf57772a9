from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamm.table.plan import PlannedRun
from iamm.table.selection import choose, choose_rates, grouped, needed
from iamm.table.table import Run


def run(rate, seed, validation=None, state="failed", test=0.5, row="ours", setting="both"):
    """Finished where it has a validation quality."""
    result = None if validation is None else {"validation_quality": validation, "quality": {"a": test}}
    state = state if result is None else "finished"
    return Run(PlannedRun(row, setting, rate, seed, f"{row}-{rate}-{seed}"), state, "", result)


def test_validation_chooses_and_test_does_not():
    """Means on validation: 0.5 and 0.6; the best single seed and every test quality say the reverse."""
    runs = [
        run(0.1, 0, 0.9, test=0.9),
        run(0.1, 1, 0.1, test=0.9),
        run(0.2, 0, 0.6, test=0.1),
        run(0.2, 1, 0.6, test=0.1),
    ]
    choice = choose(runs, (0, 1))
    assert choice.rate == 0.2
    assert choice.validation == {0.1: 0.5, 0.2: 0.6}
    assert choice.runs == tuple(runs[2:])
    assert choice.results == {0: runs[2].result, 1: runs[3].result}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), min_size=6, max_size=6))
def test_whatever_test_says_the_choice_is_the_same(qualities):
    places = [(rate, seed) for rate in (0.1, 0.2, 0.3) for seed in (0, 1)]
    one, other = (
        choose(
            [run(*place, choice[0], test=choice[kind]) for place, choice in zip(places, qualities, strict=True)], (0, 1)
        )
        for kind in (1, 2)
    )
    assert (one.rate, one.validation) == (other.rate, other.validation)


@pytest.mark.parametrize("state", ["failed", "missing", "interrupted", "running"])
def test_a_rate_with_fewer_finished_seeds_gives_way(state):
    choice = choose([run(0.1, 0, 0.9), run(0.1, 1, state=state), run(0.2, 0, 0.3), run(0.2, 1, 0.2)], (0, 1))
    assert choice.rate == 0.2
    assert choice.validation == {0.1: 0.9, 0.2: 0.25}


def test_of_equal_rates_the_first_planned_is_taken():
    assert choose([run(0.2, 0, 0.5), run(0.1, 0, 0.5)], (0, 1)).rate == 0.2


def test_a_run_without_any_finite_validation_ranks_last():
    assert choose([run(0.1, 0, -math.inf), run(0.2, 0, 0.0)], (0, 1)).rate == 0.2


def test_nothing_finished_nothing_chosen():
    runs = (run(0.1, 0), run(0.2, 0), run(0.1, 1), run(0.2, 1, state="missing"))
    choice = choose(runs, (0, 1))
    assert (choice.rate, choice.validation, choice.runs, choice.results) == (None, {}, runs, {})
    assert choice.failed() == {0}  # seed 1 may still come with the other rate


def test_failed_seeds_are_those_of_the_chosen_rate():
    choice = choose([run(0.1, 0), run(0.1, 1), run(0.2, 0, 0.5), run(0.2, 1), run(0.2, 2, state="running")], (0, 1))
    assert choice.rate == 0.2
    assert choice.failed() == {1}


def test_each_row_and_setting_chooses_for_itself(make_plan):
    plan = make_plan(settings=("one", "two"), columns=())
    best = {("ours", "one"): 0.001, ("ours", "two"): 0.002, ("rival", "one"): 0.002, ("rival", "two"): 0.001}
    runs = [
        run(p.rate, p.seed, 0.6 if p.rate == best[p.row, p.setting] else 0.5, row=p.row, setting=p.setting)
        for p in plan.runs
    ]
    assert {place: choice.rate for place, choice in choose_rates(plan, runs).items()} == best


def test_the_other_seeds_are_run_at_the_rate_that_the_first_ones_choose(make_plan):
    """Rates 0.001 and 0.002, seed 0 chooses; rival's choice is open. What seeds 1 and 2 find does not choose."""
    plan = make_plan(choose_seeds=1)
    results = {("ours", 0.001, 0): 0.6, ("ours", 0.002, 0): 0.5, ("ours", 0.001, 1): 0.1, ("rival", 0.001, 0): 0.5}
    runs = [
        run(p.rate, p.seed, results.get((p.row, p.rate, p.seed)), "missing", row=p.row, setting="both")
        for p in plan.runs
    ]
    places = [(each.planned.row, each.planned.rate, each.planned.seed) for each in needed(plan, runs)]
    first = [(row, rate, 0) for row in ("ours", "rival") for rate in (0.001, 0.002)]
    assert places == [*first, ("ours", 0.001, 1), ("ours", 0.001, 2)]
    choice = choose_rates(plan, runs)["ours", "both"]
    assert (choice.rate, choice.validation) == (0.001, {0.001: 0.6, 0.002: 0.5})
    assert list(choice.results) == [0, 1]
    assert needed(make_plan(), runs) == tuple(runs)


def test_another_target_chooses_and_the_own_validation_does_not(make_plan):
    """Target b reaches 0.9 at rate 0.2 on its validation, so a takes 0.2, whatever a's is; seed 1 runs at 0.2 alone."""
    plan = make_plan(rows=("ours",), settings=("a", "b"), judges={"a": "b", "b": "a"}, choose_seeds=1, seeds=(0, 1))
    qualities = {("a", 0.001): 0.8, ("a", 0.002): 0.3, ("b", 0.001): 0.4, ("b", 0.002): 0.9}

    def migrated(planned):
        result = {"validation_quality": 1 - planned.rate, "migration": {"validation": qualities[key(planned)]}}
        return Run(planned, "finished" if planned.seed == 0 else "missing", "", result if planned.seed == 0 else None)

    def key(planned):
        return planned.setting, planned.rate

    runs = [migrated(planned) for planned in plan.runs]
    choices = choose_rates(plan, runs)
    assert {setting: choice.rate for (_, setting), choice in choices.items()} == {"a": 0.002, "b": 0.001}
    assert choices["ours", "a"].validation == {0.001: 0.4, 0.002: 0.9}
    assert [key(run.planned) for run in choices["ours", "a"].runs] == [("a", 0.002)] * 2
    wanted = [key(each.planned) for each in needed(plan, runs) if each.planned.seed == 1]
    assert wanted == [("a", 0.002), ("b", 0.001)]


def test_a_row_without_planned_runs_has_an_empty_choice(make_plan):
    assert choose_rates(make_plan(runs=()), ())["ours", "both"].runs == ()


def test_grouped_keeps_the_order():
    runs = [run(0.2, 1), run(0.1, 0), run(0.2, 0)]
    assert grouped(runs, lambda each: each.planned.rate) == {0.2: (runs[0], runs[2]), 0.1: (runs[1],)}
