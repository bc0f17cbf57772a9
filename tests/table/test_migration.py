"""Tables of migrations: settings, columns, and what is measured beside the target's quality."""

from __future__ import annotations

from math import nan

import pytest

from iamm.record.figure import scenes_figure
from iamm.table.migration import (
    adaptation,
    area_weights,
    equivalent,
    labels,
    migration_columns,
    migration_judges,
    migration_settings,
    read_weights,
    recognised_scenes,
)
from iamm.table.pairing import measured, raw_values
from iamm.table.plan import PlannedRun
from iamm.table.selection import Choice
from iamm.table.table import Cost, Row, Run, Table
from iamm.table.write.markdown import markdown


def test_settings_and_columns_of_migrations():
    settings = migration_settings(["a", "b"], [0, 7], ["dim=8"])
    assert settings["b, 7 labels a class"] == ["dim=8", "target=b", "shots=7"]
    zero, seven, area, kept, adaptation, elasticity = migration_columns(["a", "b"], [0, 7])
    assert zero.over == (("a, 0 labels a class", 0.5), ("b, 0 labels a class", 0.5))
    assert (zero.label, seven.label, area.label, kept.label) == ("no label", "7 labels", "area", "kept, 7 labels")
    assert (zero.measure, kept.measure, zero.setting, zero.scene) == ("target", "kept", "a, 0 labels a class", None)
    assert dict(area.over) == dict(adaptation.over) == dict.fromkeys(settings, 0.25)
    assert elasticity.harmonic == (adaptation, kept)
    assert dict(elasticity.parts) == dict(area.over) | dict(kept.over)
    (alone,) = migration_columns(["a"], [5])[:1]
    assert alone.over == (("a, 5 labels a class", 1.0),)
    assert [column.label for column in migration_columns(["a"], [5])] == ["5 labels", "kept, 5 labels"]
    assert [column.label for column in migration_columns(["a"], [0, 5])[2:]] == ["area", "kept, 5 labels"]
    labels = migration_columns(["a", "b"], [0, 7], scratch=True)[-1]
    assert (labels.label, dict(labels.over)) == ("worth in labels", dict(zero.over))
    assert not any(column.is_share for column in (kept, adaptation, elasticity, labels))


def test_each_target_is_judged_by_the_next_one_with_as_many_labels():
    judges = migration_judges(["a", "b", "c"], [0, 5])
    assert judges["a, 5 labels a class"] == "b, 5 labels a class"
    assert judges["c, 0 labels a class"] == "a, 0 labels a class"
    assert set(judges) == set(migration_settings(["a", "b", "c"], [0, 5], []))


def test_the_area_is_the_trapezoidal_rule_over_log_labels():
    """Points at u = 0, 1, 3: widths 1 and 2 of 3, so the weights are 1/6, 3/6 and 2/6."""
    assert area_weights([0, 1, 7]) == pytest.approx({0: 1 / 6, 1: 1 / 2, 7: 1 / 3})
    assert area_weights([7, 0, 1]) == area_weights([0, 1, 7])
    assert sum(area_weights([0, 5, 20, 100]).values()) == pytest.approx(1)


def result(target, known, shots, quality, kept=1.0, *, source=True):
    """A migration to `target` with 30 and 20 test examples; the known scenes had `known` (scene → quality) before."""
    quality = {target: quality, **{name: value * kept for name, value in known.items()}}
    return {
        "quality": quality,
        "test": {name: {"accuracy": value} for name, value in quality.items()},
        "details": {target: {"classes": {"x": {"count": 30}, "y": {"count": 20}}}},
        "migration": {"target": target, "known": [*known], "shots": shots, "kept": kept, "before": {**known}},
        **({"from": {}} if source else {}),
    }


def choices(**rows):
    """Row → quality of target a with 0 and 3 labels and of b with 0 and 3, and what is kept; one seed."""
    found = {}
    for row, (qualities, kept) in rows.items():
        places = [("a", 0), ("a", 3), ("b", 0), ("b", 3)]
        for (target, shots), quality in zip(places, qualities, strict=True):
            known = {"b": 0.9} if target == "a" else {"a": 0.8}
            each = result(target, known, shots, quality, kept, source=row != "from scratch")
            found[row, f"{target}, {shots} labels a class"] = Choice(0.1, {}, (), {5: each})
    return found


def test_adaptation_and_elasticity_by_hand():
    """F is 0.6; where a is a known scene it has C = 0.8, and b has 0.9: C − F is ¼ on average. u = 0, 2: weights ½."""
    table = choices(ours=([0.7, 0.8, 0.75, 0.75], 1.0), rival=([0.6, 0.7, 0.6, 0.9], 0.8))
    assert adaptation(table["ours", "a, 0 labels a class"].results[5], 5, table) == pytest.approx(0.1 / 0.25)
    *_, kept, column, elasticity = migration_columns(["a", "b"], [0, 3])
    assert measured(column, "ours", table) == pytest.approx({5: 100 * (0.1 + 0.2 + 0.15 + 0.15) / 4 / 0.25})
    assert measured(column, "rival", table) == pytest.approx({5: 100 * (0 + 0.1 + 0 + 0.3) / 4 / 0.25})
    assert measured(kept, "rival", table) == pytest.approx({5: 80})
    assert measured(elasticity, "rival", table) == pytest.approx({5: 100 * 2 * 0.4 * 0.8 / (0.4 + 0.8)})
    worse = choices(ours=([0.5, 0.5, 0.5, 0.5], 1.0))
    assert measured(elasticity, "ours", worse) == {5: 0.0}
    scratch = choices(ours=([0.7] * 4, 1.0), **{"from scratch": ([0.7] * 4, 1.1)})
    assert measured(kept, "from scratch", scratch) is None  # there was nothing to keep
    assert measured(elasticity, "from scratch", scratch) is None


def test_a_target_that_leaves_no_room_does_not_blow_adaptation_up():
    """C − F of a is 0.01 and of b 0.3: M − F of 0.2 in both is 0.4 of 0.31."""
    table = choices(ours=([0.8, 0.8, 0.8, 0.8], 1.0))
    for (_, setting), choice in table.items():
        if setting.startswith("b"):  # the model that knows a
            choice.results[5]["migration"]["before"]["a"] = 0.61
    (column,) = (each for each in migration_columns(["a", "b"], [0, 3]) if each.label == "adaptation")
    assert measured(column, "ours", table) == pytest.approx({5: 100 * 0.4 / 0.31})


def test_no_adaptation_without_a_run_that_knows_the_target_or_without_accuracy():
    table = choices(ours=([0.7, 0.8, 0.75, 0.75], 1.0))
    alone = {place: choice for place, choice in table.items() if place[1].startswith("a")}
    one = alone["ours", "a, 0 labels a class"].results[5]
    assert adaptation(one, 5, alone) is None
    assert adaptation(one, 4, table) is None  # of another seed
    one["test"]["a"]["accuracy"] = 0.69
    assert adaptation(one, 5, table) is None


def test_the_labels_from_scratch_that_are_as_good():
    """From scratch a has 0.5 and 0.7 at u = 0 and 2: 0.6 is reached at u = 1, k = 1; b never gets to 0.95."""
    table = choices(ours=([0.6, 0.8, 0.95, 0.9], 1.0), **{"from scratch": ([0.5, 0.7, 0.5, 0.9], 1.0)})
    assert labels(table["ours", "a, 0 labels a class"].results[5], 5, table) == pytest.approx(1)
    column = migration_columns(["a", "b"], [0, 3], scratch=True)[-1]
    assert raw_values(column, "ours", table) == pytest.approx({5: (1 + 3) / 2})
    assert raw_values(column, "from scratch", table) == {5: 0}
    assert raw_values(column, "ours", choices(ours=([0.6, 0.8, 0.95, 0.9], 1.0))) == {}


@pytest.mark.parametrize(("quality", "k"), [(0.4, 0), (0.5, 0), (0.6, 1), (0.7, 3), (0.75, 7), (0.9, 63), (0.95, 63)])
def test_the_first_number_of_labels_that_reaches_a_quality(quality, k):
    """Points at u = 0, 2, 4, 6; the third is no better than the second."""
    assert equivalent(quality, {0: 0.5, 63: 0.9, 3: 0.7, 15: 0.65}) == pytest.approx(k)


def test_what_each_target_reads_of_each_scene(make_plan):
    """Over two seeds; the rest to 1 is the target's own. A target without weights is left out; b knows no c."""

    def cost(*results):
        runs = [Run(PlannedRun("ours", "", 0.1, seed, ""), "finished", "", each) for seed, each in enumerate(results)]
        return Cost(0.1, {}, 1, None, None, None, tuple(runs))

    def of(target, **weights):
        shares = {scene: weight / 2 for scene, weight in weights.items()}
        given = {target: weights} if weights else {}
        return {"migration": {"target": target, "recognised": shares}, "scene_weights": given}

    a, b = cost(of("a", b=0.5, c=0.25), of("a", b=0.25, c=0.25)), cost(of("b", a=0.5))
    costs = {"a, 0": a, "a, 7": cost(), "b, 0": b, "b, 7": cost(), "d, 0": cost(of("d")), "d, 7": cost()}
    plan = make_plan(settings=tuple(costs), shots=(0, 7), runs=(), claims=None)
    table = Table(plan, (Row("ours", {}, costs),), (), (), ())
    assert recognised_scenes(table) == {
        "a": {"b": 0.1875, "c": 0.125, "a": nan},
        "b": {"b": nan, "c": nan, "a": 0.25},
    }
    found = read_weights(table)
    assert found == {
        "a": {"b": 0.375, "c": 0.25, "a": 0.375},
        "b": pytest.approx({"a": 0.5, "b": 0.5, "c": nan}, nan_ok=True),
    }
    assert [text.get_text() for text in scenes_figure(found).axes[0].texts] == ["0.38", "0.25", "0.38", "0.50", "0.50"]


def test_a_table_of_migrations_is_built_from_its_runs(make_table):
    """F is ½ and C 0.9 for both targets: A is the mean of 0.25 and 0.35 over 0.4; from scratch never gets to 0.75."""

    def place(run):
        return run.setting[0], "b" if run.setting[0] == "a" else "a", int(run.setting.split()[1])

    def outcome(run):
        target, other, shots = place(run)
        quality = (0.75 if run.row == "ours" else 0.6) + (0.1 if shots else 0.0)
        return {target: {"accuracy": quality}, other: {"accuracy": 0.9}}

    def more(run):
        target, other, shots = place(run)
        values = {"target": target, "known": [other], "shots": shots, "kept": 1.0, "before": {other: 0.9}}
        counted = {"details": {target: {"classes": {"x": {"count": 7}, "y": {"count": 7}}}}}
        reads = {"labelled": shots, "unlabelled": False}
        return {**counted, "migration": {**values, **reads}, **({"from": {}} if run.row == "ours" else {})}

    table = make_table(
        *(outcome, more),
        rows=("ours", "from scratch"),
        settings=tuple(migration_settings(["a", "b"], [0, 3], [])),
        columns=migration_columns(["a", "b"], [0, 3], scratch=True),
        **{"shots": (0, 3), "seeds": (0,), "rates": (0.001,), "choose_seeds": 1, "claims": None},
    )
    values = {label: cell.estimate.mean for label, cell in table.rows[0].cells.items()}
    summed = {"area": 80, "kept, 3 labels": 100, "adaptation": 75, "elasticity": 150 / 1.75, "worth in labels": 3}
    assert values == pytest.approx({"no label": 75, "3 labels": 85, **summed})
    text = markdown(table, "..")
    assert "area: quality of the target, mean over the targets and over log₂(1 + labels) (percent points)" in text
    assert "elasticity: 2AR / (A + R) of adaptation A and kept R (percent points)" in text
    assert "3.0 n=1" in text
