from __future__ import annotations

import pytest

from iamm.table.plan import Column, area_weights, migration_columns, migration_judges, migration_settings


@pytest.mark.parametrize(
    ("measure", "scale", "lower_is_better"),
    [
        ("accuracy", 100, False),
        ("quality", 100, False),
        ("bleu", 100, False),
        ("loss", 1, True),
        ("perplexity", 1, True),
    ],
)
def test_columns_of_shares_and_of_losses(measure, scale, lower_is_better):
    column = Column("", measure, "a", "both")
    assert (column.scale, column.lower_is_better) == (scale, lower_is_better)


def test_settings_and_columns_of_migrations():
    settings = migration_settings(["a", "b"], [0, 7], ["dim=8"])
    assert settings["b, 7 labels a class"] == ["dim=8", "target=b", "shots=7"]
    zero, seven, area, kept = migration_columns(["a", "b"], [0, 7])
    assert zero.over == (("a, 0 labels a class", 0.5), ("b, 0 labels a class", 0.5))
    assert (zero.label, seven.label, area.label, kept.label) == ("no label", "7 labels", "area", "kept, 7 labels")
    assert (zero.measure, kept.measure, zero.setting, zero.scene) == ("target", "kept", "a, 0 labels a class", None)
    assert dict(area.over) == dict.fromkeys(settings, 0.25)
    (alone,) = migration_columns(["a"], [5])[:1]
    assert alone.over == (("a, 5 labels a class", 1.0),)
    assert [column.label for column in migration_columns(["a"], [5])] == ["5 labels", "kept, 5 labels"]


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
