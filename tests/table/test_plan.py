from __future__ import annotations

import json

import pytest

from iamm.errors import BadDataError, MissingDataError
from iamm.table.plan import (
    Column,
    area_weights,
    migration_columns,
    migration_judges,
    migration_settings,
    read_plan,
    write_plan,
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"claims": None, "tolerance": None, "seconds": None},
        {"title": "Größe “×”", "rows": ("a/b", "ñ \\ |"), "settings": ("one", "two"), "rates": (1e-3 / 3,)},
        {"columns": (Column("t", "quality", None, "both", minus="rival"),), "budget": {"steps": None, "more": [1, 2]}},
        {"columns": (Column("t", "target", None, "both", over=(("both", 0.5), ("one", 0.25))),)},
        {"runs": ()},
        {"settings": ("one", "both"), "judges": {"one": "both", "both": "one"}},
    ],
    ids=str,
)
def test_what_is_read_is_what_was_written(make_plan, tmp_path, changes):
    plan, path = make_plan(**changes), tmp_path / "plan.json"
    write_plan(path, plan)
    assert read_plan(path) == plan
    before = path.read_bytes()
    write_plan(path, read_plan(path))
    assert path.read_bytes() == before


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


def test_no_plan(tmp_path):
    with pytest.raises(
        MissingDataError, match=r"^A table must be planned first\. Found no .*plan\.json: run iamm-table\.$"
    ):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: "",
        lambda content: json.dumps(content)[:-9],
        lambda content: "[]",
        lambda content: "{}",
        lambda content: json.dumps({key: value for key, value in content.items() if key != "seeds"}),
        lambda content: json.dumps({**content, "more": 1}),
        lambda content: json.dumps({**content, "rows": None}),
        lambda content: json.dumps({**content, "columns": [{"label": "accuracy"}]}),
        lambda content: json.dumps({**content, "runs": [{**content["runs"][0], "more": 1}]}),
    ],
)
def test_a_spoilt_plan_is_named_in_one_line(make_plan, tmp_path, spoil):
    path = tmp_path / "plan.json"
    write_plan(path, make_plan())
    path.write_text(spoil(json.loads(path.read_text())))
    with pytest.raises(
        BadDataError, match=r"^A plan must be whole and of a table\. Found .*plan\.json: .*again\.$"
    ) as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)


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
