from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from rich.console import Console

from iamm.measure import LOSS, Measure, as_json
from iamm.record.checksummed import write_checksummed
from iamm.record.overview import Scored, csv_text, described, differing, in_order, read_scored, show_overview

RUNS = [
    Scored(Path("out/a-00000001"), {"fusion": "none", "seed": 1}, 0.5, {"digits accuracy": "59.05"}, 2.84),
    Scored(Path("out/b-00000002"), {"fusion": "shared", "seed": 0, "dim": 8}, 0.75, {"digits accuracy": "–"}, 1.0),
    Scored(Path("out/c-00000003"), {"seed": 1}, math.nan, {"digits accuracy": "7.00"}, 3.0),
]


def test_a_result_gives_the_measure_that_selects(tmp_path):
    measures = {"a": {"f1": Measure("f1"), "calibration": Measure("calibration", "raw", lower_is_better=True)}}
    result = {
        "test": {"a": {"f1": 0.25, "calibration": 0.25}},
        "quality": {"a": 0.8},  # 1 / (1 + 0.25): of the calibration
        "measures": as_json(measures),
        "validation_quality": 0.7,
        "choices": {"model": "iamm", "dataset": "a"},
        "settings": {"dim": 8},
        "seed": 3,
        "seconds": 1.5,
    }
    write_checksummed(tmp_path / "result.json", result)
    assert read_scored(tmp_path) == Scored(tmp_path, {"dim": 8}, 0.7, {"a calibration": "0.2500"}, 1.5)
    del result["settings"]
    write_checksummed(
        tmp_path / "result.json", result | {"measures": as_json({"a": {"f1": Measure("f1"), "calibration": LOSS}})}
    )
    assert read_scored(tmp_path).settings == {"model": "iamm", "dataset": "a", "seed": 3}


def test_what_differs():
    assert differing(run.settings for run in RUNS) == ["fusion", "seed", "dim"]
    assert differing(run.settings for run in RUNS[::2]) == ["fusion"]
    assert described(RUNS[0].settings, ["fusion", "dim", "seed"]) == "fusion=none seed=1"


def test_order():
    a, b, c = RUNS
    assert in_order(RUNS) == [b, a, c]
    assert in_order(RUNS, "accuracy") == [a, c, b]
    assert in_order(RUNS, "fusion") == [a, b, c]
    assert in_order(RUNS, "seconds") == [c, a, b]


def test_the_csv_has_every_setting():
    rows = list(csv.DictReader(io.StringIO(csv_text(RUNS))))
    assert rows[0] == {
        **{"fusion": "none", "seed": "1", "dim": "", "validation": "50.00"},
        **{"digits accuracy": "59.05", "seconds": "2.8", "folder": "out/a-00000001"},
    }
    assert [row["dim"] for row in rows] == ["", "8", ""]


def test_an_overview_shows_what_differs():
    console = Console(file=io.StringIO(), width=80)
    show_overview(console, RUNS[:2])
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert lines[0] == ["2", "runs"]
    assert ["fusion", "seed", "other", "settings", "validation", "digits", "accuracy", "seconds", "folder"] in lines
    assert ["none", "1", "50.00", "59.05", "2.8", "00000001"] in lines
    assert ["shared", "0", "dim=8", "75.00", "–", "1.0", "00000002"] in lines
