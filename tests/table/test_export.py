from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from iamm.table.migration import migration_columns, migration_settings
from iamm.table.plan import Column
from iamm.table.write.export import csv_text, field, json_text


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def lacking(run):
    """Of the rival the first seed failed and the last is missing."""
    measures = {"a": {"accuracy": 0.25 + 0.125 * run.seed}, "b": {"bleu": 0.5}}
    return measures if run.row == "ours" else {0: 'no "room", at\nall', 1: measures, 2: None}[run.seed]


def test_csv_has_a_line_for_each_run_and_column(make_table):
    """2 rows, 2 rates, 3 seeds, 2 columns; those of the chosen rates are the cells' values."""
    table = make_table()
    text = csv_text(table)
    assert text.splitlines()[:3] == [
        "row,setting,column,seed,learning_rate,chosen,state,value,parameters,seconds,memory_mib,folder,reason",
        "ours,both,accuracy,0,0.001,true,finished,50.0,1000,12.5,300.0,ours-both-0.001-seed0,",
        "ours,both,BLEU,0,0.001,true,finished,30.0,1000,12.5,300.0,ours-both-0.001-seed0,",
    ]
    lines = lines_of(text)
    assert len(lines) == 2 * 2 * 3 * 2
    rival = [line for line in lines if (line["row"], line["column"]) == ("rival", "accuracy")]
    assert [float(line["value"]) for line in rival if line["chosen"] == "true"] == pytest.approx([40.0, 50.0, 55.0])
    assert [float(line["value"]) for line in rival if line["chosen"] == "false"] == pytest.approx([5.0, 5.0, 5.0])
    assert {line["learning_rate"] for line in rival if line["chosen"] == "true"} == {"0.002"}


def test_csv_of_what_is_not_finished(make_table):
    lines = lines_of(csv_text(make_table(lacking, rates=(0.5,))))
    rival = [line for line in lines if (line["row"], line["column"]) == ("rival", "accuracy")]
    assert [(line["state"], line["value"], line["parameters"], line["seconds"]) for line in rival] == [
        ("failed", "", "", ""),
        ("finished", "37.5", "1000", "12.5"),
        ("missing", "", "", ""),
    ]
    assert rival[0]["reason"] == 'no "room", at\nall'


def test_a_difference_to_another_row_is_known_of_chosen_runs(make_table):
    """And is empty for the row that is subtracted; columns stand with the runs of their own setting only."""
    columns = (Column("accuracy", "accuracy", "a", "both"), Column("gain", "accuracy", "a", "alone", "rival"))
    lines = lines_of(csv_text(make_table(settings=("both", "alone"), columns=columns, claims=None)))
    assert {(line["setting"], line["column"]) for line in lines} == {("both", "accuracy"), ("alone", "gain")}
    gains = [line for line in lines if line["column"] == "gain"]
    measures = [float(line["value"]) for line in gains if line["value"]]
    assert measures == pytest.approx([10.0, 10.0, 15.0])
    assert all((line["row"], line["chosen"]) == ("ours", "true") for line in gains if line["value"])


def test_a_migration_stands_with_its_own_quality(make_table):
    """The table has the mean over targets; a line has its run's, and none of what sums up several numbers of labels."""
    reached = {"a": 0.9, "b": 0.5}

    def more(run):
        target = run.setting[0]
        values = {"target": target, "known": [], "shots": 0, "kept": 1.0, "before": {}}
        counted = {"details": {target: {"classes": {"x": {"count": 1}}}}}
        return {**counted, "migration": {**values, "labelled": 0, "unlabelled": False}, "from": {}}

    table = make_table(
        lambda run: {run.setting[0]: {"accuracy": reached[run.setting[0]]}},
        more,
        settings=tuple(migration_settings(["a", "b"], [0, 3], [])),
        columns=migration_columns(["a", "b"], [0, 3]),
        **{"shots": (0, 3), "seeds": (0,), "rates": (0.001,), "choose_seeds": 1, "claims": None},
    )
    assert table.rows[0].cells["no label"].estimate.mean == pytest.approx(70)
    lines = [line for line in lines_of(csv_text(table)) if line["row"] == "ours"]
    found = {(line["setting"][0], line["column"]): line["value"] for line in lines}
    assert {target: float(found[target, "no label"]) for target in "ab"} == pytest.approx({"a": 90, "b": 50})
    assert found["a", "area"] == found["a", "elasticity"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (float("nan"), "NaN"), (float("-inf"), "-Inf"), (1.5, 1.5), (None, None)],
)
def test_field(value, text):
    assert field(value) == text


def test_json_holds_everything(make_table):
    """A difference, an interval and an order worked by hand; see the tests of Markdown."""
    content = json.loads(json_text(make_table()))
    assert list(content) == ["plan", "rows", "runs", "orders", "notices"]
    assert content["plan"]["columns"][1] == {
        "label": "BLEU",
        "measure": "bleu",
        "scene": "b",
        "setting": "both",
        "minus": None,
        "epoch": None,
        "declared": {"name": "bleu", "scale": "percent", "lower_is_better": False},
        "over": [],
        "harmonic": [],
        "compared": True,
    }
    assert content["plan"]["seconds"] == 10.0
    ours, rival = content["rows"]
    assert ours["cells"]["accuracy"]["values"] == {"0": 50.0, "1": 60.0, "2": 70.0}
    assert ours["cells"]["accuracy"]["difference"] is None
    difference = rival["cells"]["accuracy"]["difference"]
    assert (difference["verdict"], difference["estimate"]["n"]) == ("worse", 3)
    assert difference["estimate"]["mean"] == pytest.approx(-35 / 3)
    assert difference["estimate"]["deviation"] == pytest.approx(5 / 3**0.5)
    assert difference["p"] == pytest.approx(1 - 7 / 51**0.5)
    assert difference["adjusted"] == pytest.approx(2 - 14 / 51**0.5)
    assert rival["costs"]["both"] == {
        "rate": 0.002,
        "validation": {"0.001": pytest.approx(0.05), "0.002": pytest.approx((1.45 + 0.93) / 6)},
        "finished": {"0.001": 3, "0.002": 3},
        "parameters": 1000,
        "within": True,
        "seconds": 12.5,
        "memory": 300.0,
        "runs": [f"rival-both-0.002-seed{seed}" for seed in (0, 1, 2)],
    }
    order = {"column": "accuracy", "claimed": ["ours", "rival"], "found": ["ours", "rival"], "held": "yes"}
    assert content["orders"] == [order]


def test_json_of_runs(make_table):
    """Each with what became of it and its values, and not with its whole result."""
    content = json.loads(json_text(make_table(lacking, rates=(0.5,))))
    assert len(content["runs"]) == 6
    failed, finished, missing = content["runs"][3:]
    assert (failed["state"], failed["reason"]) == ("failed", 'no "room", at\nall')
    assert finished == {
        "row": "rival",
        "setting": "both",
        "seed": 1,
        "learning_rate": 0.5,
        "chosen": True,
        "state": "finished",
        "reason": "",
        "parameters": 1000,
        "seconds": 12.5,
        "memory_mib": 300.0,
        "folder": "rival-both-0.5-seed1",
        "values": {"accuracy": 37.5, "BLEU": 50.0},
    }
    assert (missing["state"], missing["values"]) == ("missing", {"accuracy": None, "BLEU": None})
    rival = content["rows"][1]["cells"]["accuracy"]
    assert (rival["missing"], rival["failed"], rival["applies"]) == (1, 1, True)
    assert (rival["estimate"]["n"], rival["estimate"]["deviation"], rival["difference"]["p"]) == (1, None, None)
    assert content["notices"]


def test_a_row_without_the_scene(make_table):
    def outcome(run):
        return {"a": {"accuracy": 0.5}} | ({"b": {"bleu": 0.25}} if run.row == "ours" else {})

    content = json.loads(json_text(make_table(outcome, claims=None)))
    assert content["rows"][1]["cells"]["BLEU"]["applies"] is False
    assert content["plan"]["claims"] is None
    assert {run["values"]["BLEU"] for run in content["runs"] if run["row"] == "rival"} == {None}


@pytest.mark.parametrize("write", [csv_text, json_text])
def test_without_costs_a_slower_sweep_gives_the_same_bytes(make_table, write):
    table = make_table(result=lambda run: {"seconds": 0.5 + run.seed, "peak_memory_mib": 123.5})
    text = write(table, costs=False)
    assert "second" not in text
    assert "memory" not in text
    assert "123.5" in write(table)
    spent = {"seconds": 99.0, "peak_memory_mib": 999.0}
    slower = tuple(run._replace(result={**run.result, **spent}) for run in table.runs)
    costs = {place: replace(cost, seconds=99.0, memory=999.0) for place, cost in table.rows[0].costs.items()}
    rows = (replace(table.rows[0], costs=costs), *table.rows[1:])
    assert write(replace(table, rows=rows, runs=slower), costs=False) == text


@pytest.mark.parametrize("write", [csv_text, json_text])
def test_twice_the_same_bytes(make_table, write):
    table = make_table()
    assert write(table) == write(table)
