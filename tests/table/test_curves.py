from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iamm.errors import BadDataError
from iamm.table.write.curves import mean_band, read_curves, thinned

ACCURACY, LOSS = "val/accuracy/a", "val/loss/a"


def line(kind, step, **values):
    record = {
        "kind": kind,
        "step": step,
        "epoch": 1,
        "values": {f"{kind}/{k}/a": v for k, v in values.items()},
        "time": {},
    }
    return json.dumps(record) + "\n"


def test_points_of_the_validations(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text(
        line("val", 5, accuracy=0.125, loss=2.5)  # a file may begin with one
        + line("train", 7, loss=9.0)
        + line("val", 10, accuracy=0.25)
        + line("train", 12, loss=8.0)
        + line("val", 15, accuracy=0.5, loss=1.5)
        + line("test", 15, accuracy=0.75)
    )
    assert read_curves(path, [ACCURACY, LOSS, "val/bleu/b"]) == {
        ACCURACY: [(5, 0.125), (10, 0.25), (15, 0.5)],
        LOSS: [(5, 2.5), (15, 1.5)],
        "val/bleu/b": [],
    }


def test_the_records_of_a_finished_run(tmp_path, make_plan, finish):
    """As the run folder's own writer leaves them."""
    run = make_plan().runs[0]
    folder = finish(tmp_path, run, {"a": {"accuracy": 0.75}})
    assert read_curves(folder.records, [ACCURACY]) == {ACCURACY: [(10, 0.25), (20, 0.5), (30, 0.75)]}


@pytest.mark.parametrize(
    "end", [line("val", 20, accuracy=0.5)[:-9], line("val", 20, accuracy=0.5)[:-1], '{"kind": "va']
)
def test_an_unfinished_line_is_left_out(tmp_path, end):
    path = tmp_path / "records.jsonl"
    path.write_text(line("val", 10, accuracy=0.25) + end)
    assert read_curves(path, [ACCURACY]) == {ACCURACY: [(10, 0.25)]}
    path.write_text(end)
    assert read_curves(path, [ACCURACY]) == {ACCURACY: []}


def test_values_that_are_not_finite_are_left_out(tmp_path):
    path = tmp_path / "records.jsonl"
    values = (1.0, math.nan, math.inf, -math.inf, 2.0)
    path.write_text("".join(line("val", step, loss=value) for step, value in enumerate(values)))
    assert read_curves(path, [LOSS]) == {LOSS: [(0, 1.0), (4, 2.0)]}


def test_no_records_no_points(tmp_path):
    assert read_curves(tmp_path / "records.jsonl", [LOSS]) == {LOSS: []}


@pytest.mark.parametrize(
    "broken", ['{"kind": "val", "step"\n', '{"kind": "val", "step": 1, "values": {"val/accuracy/a": {}}}\n']
)
def test_a_broken_line_is_reported(tmp_path, broken):
    path = tmp_path / "records.jsonl"
    path.write_text(line("val", 10, accuracy=0.25) + broken)
    with pytest.raises(BadDataError, match=r"Records must be lines of JSON\. Found .*records\.jsonl"):
        read_curves(path, [ACCURACY])


def test_long_curves_are_thinned_before_they_are_read(tmp_path):
    """Of 1,000 steps 64 are left: each 16th from the first, and the last. The others are not even parsed."""
    lines = [line("val", step, accuracy=step / 1000) for step in range(1, 1001)]
    lines[7] = '{"kind": "val", and then something broken\n'
    path = tmp_path / "records.jsonl"
    path.write_text("".join(lines))
    points = read_curves(path, [ACCURACY])[ACCURACY]
    assert [step for step, _ in points] == [*range(1, 1000, 16), 1000]
    assert [value for _, value in points] == [step / 1000 for step, _ in points]


def test_as_many_as_asked_for_are_all_kept():
    assert thinned(range(100), 100) == list(range(100))
    assert thinned(range(101), 100) == list(range(0, 101, 2))
    assert thinned(range(102), 100) == [*range(0, 101, 2), 101]
    assert thinned([], 2) == []


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(2, 130))
def test_thinned_curves_share_steps(length, more, most):
    """First, last, no more than asked for; and of two lengths, one's steps are the other's but for the last."""
    short, long = thinned(range(length), most), thinned(range(length + more), most)
    assert len(short) <= most
    assert (short[0], short[-1]) == (0, length - 1)
    assert short == sorted(set(short))
    assert {step for step in long if step < length - 1} <= set(short)


def test_mean_and_range_over_the_steps_that_all_have():
    """Step 2: (1 + 4 + 7) / 3 = 4; step 4: (2 + 2 + 5) / 3 = 3."""
    curves = [[(1, 9.0), (2, 1.0), (4, 2.0)], [(2, 4.0), (3, 0.0), (4, 2.0)], [(2, 7.0), (4, 5.0), (6, 1.0)]]
    assert mean_band(curves) == [(2, 4.0, 1.0, 7.0), (4, 3.0, 2.0, 5.0)]
    assert mean_band(curves[:1]) == [(1, 9.0, 9.0, 9.0), (2, 1.0, 1.0, 1.0), (4, 2.0, 2.0, 2.0)]
    assert mean_band([]) == []
    assert mean_band([[(1, 2.0)], []]) == []


@given(st.lists(st.tuples(st.floats(), st.integers(-5, 5), st.booleans()), max_size=20))
def test_numbers_are_those_that_json_reads(tmp_path_factory, rows):
    """Whatever stands beside them, and whatever the tags are called."""
    tags = ['val/f1/ä "b", }', "val/loss/ä", "val/quality"]
    lines = [
        json.dumps(
            {
                "kind": "val",
                "step": step,
                "epoch": 1,
                "values": dict(zip(tags[whole:], (value, count), strict=False)),
                "time": {},
            },
            ensure_ascii=False,
        )
        for step, (value, count, whole) in enumerate(rows)
    ]
    path = tmp_path_factory.mktemp("run") / "records.jsonl"
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    records = [json.loads(line) for line in lines]
    assert read_curves(path, tags) == {
        tag: [(r["step"], r["values"][tag]) for r in records if math.isfinite(r["values"].get(tag, math.nan))]
        for tag in tags
    }
