from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from scipy import stats

from iamm.table.pairing import bare, differences, measured, paired, same_examples, value_of, verdict
from iamm.table.plan import Column
from iamm.table.selection import Choice

ACCURACY = Column("accuracy", "accuracy", "a", "both")
LOSS = Column("loss", "loss", "a", "both")
BLEU = Column("BLEU", "bleu", "b", "both")
MEAN = Column("mean", "quality", None, "both")


def result(seed=0, accuracy=None, bleu=None, loss=0.0, data=None, **config):
    """Scene a has an accuracy, scene b a BLEU; both are views of the data set `small`."""
    test = {"a": {"accuracy": accuracy, "loss": loss}, "b": {"bleu": bleu}}
    quality = {scene: value for scene, value in (("a", accuracy), ("b", bleu)) if value is not None}
    views = {"views": [*quality], "seed": seed, "train": 50, "data_dir": "/a", **config}
    sums = {"small": f"{seed} {[*quality]}"} if data is None else data
    test = {scene: test[scene] for scene in quality}
    return {"quality": quality, "test": test, "data": sums, "config": {"dataset": {"small": views}}}


def choices(**rows):
    """Row → its results by seed."""
    return {(row, "both"): Choice(0.1, {}, (), dict(enumerate(results))) for row, results in rows.items()}


def accuracies(*values):
    return [result(seed, value) for seed, value in enumerate(values)]


# --- values


@pytest.mark.parametrize(
    ("measure", "scene", "value"),
    [
        ("accuracy", "a", 0.5),
        ("quality", "a", 0.5),
        ("quality", "b", 0.25),
        ("loss", "a", 1.5),
        ("quality", None, 0.375),
        ("loss", None, None),  # b has none
        ("accuracy", "b", None),
        ("accuracy", "c", None),
        ("quality", "c", None),
    ],
)
def test_what_a_run_measured(measure, scene, value):
    assert value_of(Column("", measure, scene, "both"), result(0, 0.5, 0.25, 1.5)) == value


@pytest.mark.parametrize(("epoch", "value"), [(1, 0.25), (2, 0.75), (3, None)])
def test_what_a_run_measured_after_an_epoch(epoch, value):
    curved = {**result(0, 0.5), "curve": {"a": [{"accuracy": 0.25}, {"accuracy": 0.75}]}}
    column = Column("", "accuracy", "a", "both", epoch=epoch)
    assert value_of(column, curved) == value
    assert value_of(column, result(0, 0.5)) is None


def test_a_training_loss_is_shown_as_it_is():
    column = Column("", "train_loss", "a", "both", epoch=1)
    curved = {**result(0, 0.5), "curve": {"a": [{"train_loss": 2.5}]}}
    assert measured(column, "row", choices(row=[curved])) == {0: 2.5}
    assert column.lower_is_better


def test_shares_are_shown_in_points_and_losses_as_they_are():
    actual = choices(ours=[result(0, 0.5, loss=1.5)])
    assert measured(ACCURACY, "ours", actual) == {0: 50.0}
    assert measured(LOSS, "ours", actual) == {0: 1.5}


def test_the_weight_that_the_other_scenes_give_to_one():
    weights = {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 0.25, "b": 0.75}, "c": {"a": 0.75, "b": 0.25}}
    column = Column("", "weight", "a", "both")
    assert value_of(column, result(0, 0.5) | {"scene_weights": weights}) == 0.5
    assert value_of(column, result(0, 0.5) | {"scene_weights": {"a": {"a": 1.0}}}) is None


def test_what_is_left_of_the_weights_of_the_first_phase():
    """|0.5 − 0.9| + |0.2 − 0.1| + |0.3 − 0| = 0.8; the first phase knew no c."""
    column = Column("", "weights_kept", "a", "both")
    phases = [{"scene_weights": {"a": {"a": 0.9, "b": 0.1}}}, {"scene_weights": {"a": {"a": 0.0, "b": 1.0}}}]
    given = result(0, 0.5) | {"phases": phases, "scene_weights": {"a": {"a": 0.5, "b": 0.2, "c": 0.3}}}
    assert value_of(column, given) == pytest.approx(0.6)
    assert value_of(column, given | {"phases": []}) is None
    assert value_of(column, given | {"scene_weights": {}}) is None


def test_what_is_left_while_views_are_missing():
    given = result(0, 0.5) | {"missing": {"a": {"alone": 0.25, "robustness": 0.75}}}
    values = [value_of(Column("", measure, "a", "both"), given) for measure in ("alone", "robustness", "accuracy")]
    assert values == [0.25, 0.75, 0.5]
    assert value_of(Column("", "alone", "a", "both"), result(0, 0.5)) is None


def test_values_by_seed_in_order():
    actual = {("ours", "both"): Choice(0.1, {}, (), {seed: result(seed, seed / 8) for seed in (5, 0, 3)})}
    assert list(measured(ACCURACY, "ours", actual).items()) == [(0, 0.0), (3, 37.5), (5, 62.5)]


def test_a_row_without_the_scene_has_no_values_and_one_without_runs_has_none_yet():
    actual = choices(ours=accuracies(0.5), begun=[])
    assert measured(BLEU, "ours", actual) is None
    assert measured(BLEU, "begun", actual) == {}


def test_a_mean_over_scenes_is_only_of_rows_with_all_scenes():
    actual = choices(ours=[result(0, 0.5, 0.25)], alone=accuracies(0.9))
    assert measured(MEAN, "ours", actual) == {0: 37.5}
    assert measured(MEAN, "alone", actual) is None


def test_what_is_subtracted_is_of_the_same_seed():
    together = [result(seed, value, 0.1) for seed, value in enumerate((0.5, 0.75, 0.5))]
    actual = choices(ours=together, alone=accuracies(0.25, 0.5))
    transfer = Column("transfer", "accuracy", "a", "both", minus="alone")
    assert measured(transfer, "ours", actual) == {0: 25.0, 1: 25.0}
    assert measured(transfer, "alone", actual) is None
    text = Column("transfer", "bleu", "b", "both", minus="ours")
    assert measured(text, "alone", actual) is None  # it has no such scene


# --- the same examples


def test_equal_sums_are_the_same_examples():
    assert same_examples(result(0, 0.5), result(0, 0.9))
    assert same_examples(result(0, 0.5, train=50), result(0, 0.9, train=60))  # the sum is what counts


@pytest.mark.parametrize("changed", [{"train": 49}, {"relatedness": 0.5}, {"more": None}], ids=str)
def test_with_other_views_the_settings_count(changed):
    assert same_examples(result(0, 0.5, 0.5), result(0, 0.5, data_dir="/b"))
    assert same_examples(result(0, 0.5), result(0, 0.5, 0.5))
    assert not same_examples(result(0, 0.5, 0.5), result(0, 0.5, **changed))


def test_other_sums_of_the_same_views_are_other_examples():
    """A file that changed between two runs, say."""
    assert not same_examples(result(0, 0.5, data={"small": "x"}), result(0, 0.5, data={"small": "y"}))


def test_every_shared_data_set_counts():
    def actual(**data):
        return result(0, 0.5, data=data)

    assert same_examples(actual(x="1", y="2"), actual(x="1"))
    assert same_examples(actual(x="1", y="2"), actual(y="2", z="3"))
    assert not same_examples(actual(x="1", y="2"), actual(x="1", y="3"))
    assert not same_examples(actual(x="1"), actual(y="1"))


def test_only_the_same_seeds_and_examples_are_paired():
    rival = [result(0, 0.4), result(1, 0.5, data={"small": "other"}), result(2, 0.6), result(3, 0.7)]
    actual = choices(ours=accuracies(0.5, 0.5, 0.75), rival=rival)
    assert paired(ACCURACY, "ours", "rival", actual) == {0: (50.0, 40.0), 2: (75.0, 60.0)}


# --- verdicts


@pytest.mark.parametrize(
    ("measure", "change", "p", "said"),
    [
        ("accuracy", 1.0, 0.049, "better"),
        ("accuracy", -1.0, 0.049, "worse"),
        ("loss", 1.0, 0.049, "worse"),
        ("loss", -1.0, 0.049, "better"),
        ("perplexity", -1.0, 0.001, "better"),
        ("accuracy", 1.0, 0.05, "tie"),
        ("accuracy", 0.0, 1.0, "tie"),
        ("accuracy", 1.0, math.nan, "untested"),
    ],
)
def test_verdicts(measure, change, p, said):
    assert verdict(Column("", measure, "a", "both"), [change] * 3, p) == said


def test_ranks_against_the_mean_claim_nothing():
    """Eleven seeds gain 1 and one loses 20: the signed ranks separate (w = 12), the mean fell."""
    changes = [1.0] * 11 + [-20.0]
    assert stats.wilcoxon(changes).pvalue < 0.05
    assert verdict(ACCURACY, changes, 0.034) == "tie"


# --- differences over a table


def test_differences_by_hand(make_plan):
    """Changes −10, −20, −30: t = −2√3 and p = 1 − √(12 / 14), alone in the table."""
    actual = differences(
        make_plan(columns=(ACCURACY,)), choices(ours=accuracies(0.5, 0.6, 0.7), rival=accuracies(0.4, 0.4, 0.4))
    )
    ((place, said),) = actual.items()
    assert place == ("rival", bare(ACCURACY))
    assert said.estimate.mean == pytest.approx(-20)
    assert said.estimate.deviation == pytest.approx(10)
    assert said.p == said.adjusted == pytest.approx(1 - math.sqrt(12 / 14))
    assert said.verdict == "tie"


@pytest.mark.parametrize("test", ["t", "wilcoxon"])
def test_holm_over_all_rows_and_columns(make_plan, test):
    """Three rows against the first in three columns: nine tests, corrected together; scipy's p, Holm by its steps."""
    seeds = range(6)
    spread = [0.00, 0.01, 0.05, 0.02, 0.03, 0.045]
    gain = {"ours": 0.0, "b": 0.1, "c": 0.005, "d": -0.04}

    def of(row, seed):
        noise = spread[seed] * {"ours": 1, "b": 0.9, "c": 2, "d": 1.1}[row]
        return result(seed, 0.5 + gain[row] + noise, 0.3 + gain[row] * noise, loss=1 - 2 * gain[row] + noise)

    results = {row: [of(row, seed) for seed in seeds] for row in gain}
    plan = make_plan(rows=tuple(gain), columns=(ACCURACY, BLEU, LOSS), seeds=tuple(seeds), test=test, claims=None)
    actual = differences(plan, choices(**results))
    values = {
        column: {row: [value_of(column, each) * column.scale for each in results[row]] for row in gain}
        for column in plan.columns
    }
    expected = {}
    for column in plan.columns:
        for row in ("b", "c", "d"):
            ours, theirs = values[column]["ours"], values[column][row]
            pair = stats.ttest_rel(theirs, ours) if test == "t" else stats.wilcoxon(theirs, ours, method="exact")
            expected[row, bare(column)] = pair.pvalue
    assert {place: said.p for place, said in actual.items()} == pytest.approx(expected, rel=1e-9)
    ranked = sorted(expected, key=lambda place: actual[place].p)
    for rank, place in enumerate(ranked):
        steps = [(9 - number) * actual[each].p for number, each in enumerate(ranked[: rank + 1])]
        assert actual[place].adjusted == pytest.approx(min(1.0, max(steps)), rel=1e-12)
    assert all(actual[a].adjusted <= actual[b].adjusted for a, b in pairwise(ranked))
    if test == "t":
        assert actual["b", bare(ACCURACY)].verdict == "better"
        assert actual["d", bare(LOSS)].verdict == "worse"


def test_columns_that_are_not_compared_take_no_part_in_the_correction(make_plan):
    """The same p alone as beside an uncompared column: 1 − √(12 / 14), and not twice that."""
    columns = (ACCURACY, replace(LOSS, compared=False))
    actual = differences(
        make_plan(columns=columns), choices(ours=accuracies(0.5, 0.6, 0.7), rival=accuracies(0.4, 0.4, 0.4))
    )
    assert [*actual] == [("rival", bare(ACCURACY))]
    assert actual["rival", bare(ACCURACY)].adjusted == pytest.approx(1 - math.sqrt(12 / 14))


def test_what_is_subtracted_cancels_and_is_tested_once(make_plan):
    """Two columns of one measure: p is corrected for one comparison a row, not for two."""
    transfer = Column("transfer", "accuracy", "a", "both", minus="alone")
    rows = choices(
        ours=[result(seed, value, 0.1) for seed, value in enumerate((0.5, 0.6, 0.7))],
        rival=[result(seed, value, 0.1) for seed, value in enumerate((0.4, 0.51, 0.6))],
        alone=accuracies(0.3, 0.5, 0.7),
    )
    plan = make_plan(rows=("ours", "rival", "alone"), columns=(ACCURACY, transfer), claims=None)
    actual = differences(plan, rows)
    assert set(actual) == {("rival", bare(ACCURACY)), ("alone", bare(ACCURACY))}
    rival, alone = (actual[row, bare(transfer)] for row in ("rival", "alone"))
    assert rival.adjusted == 2 * rival.p
    assert alone.adjusted == max(2 * rival.p, alone.p)


def test_equal_rows_tie_and_single_seeds_are_untested(make_plan):
    same = choices(ours=accuracies(0.5, 0.6), rival=accuracies(0.5, 0.6))
    assert differences(make_plan(columns=(ACCURACY,)), same)["rival", bare(ACCURACY)].verdict == "tie"
    single = choices(ours=accuracies(0.5), rival=accuracies(0.6))
    assert differences(make_plan(columns=(ACCURACY,)), single)["rival", bare(ACCURACY)].verdict == "untested"


def test_nothing_to_pair_no_difference(make_plan):
    plan = make_plan(columns=(ACCURACY, BLEU))
    assert differences(plan, choices(ours=accuracies(0.5, 0.6), rival=[])) == {}


def migrated(seed, quality, kept):
    moved = {"target": "a", "kept": kept}
    return {
        "quality": {"a": quality, "b": 1.0},
        "migration": moved,
        "data": {"small": str(seed)},
        "config": {"dataset": {}},
        "from": {},
    }


def test_a_column_over_several_settings_is_a_weighted_sum():
    column = Column("area", "target", None, "one", over=(("one", 0.25), ("two", 0.75)))
    by_setting = {"one": [0.4, 0.6], "two": [0.8, 0.2]}
    found = {
        (row, setting): Choice(
            0.1, {}, (), {seed: migrated(seed, value + more, 0.5) for seed, value in enumerate(values)}
        )
        for row, more in (("ours", 0.0), ("rival", 0.1))
        for setting, values in by_setting.items()
    }
    assert measured(column, "ours", found) == pytest.approx({0: 70.0, 1: 30.0})
    assert paired(column, "ours", "rival", found)[1] == pytest.approx((30.0, 40.0))
    kept = Column("kept", "kept", None, "one", over=(("two", 1.0),))
    assert measured(kept, "rival", found) == pytest.approx({0: 50.0, 1: 50.0})
    del found["ours", "two"].results[1]
    assert measured(column, "ours", found) == pytest.approx({0: 70.0})
    assert list(paired(column, "ours", "rival", found)) == [0]
