"""What `list=true` says: which runs are there, why others are not, and what is left to pay."""

from __future__ import annotations

import pytest

from iamm.record.checksummed import write_checksummed
from iamm.record.run_folder import RunFolder, read_result
from iamm.table.listing import cost, duration, outlook, show_listing
from iamm.table.plan import Column, PlannedRun, TablePlan
from iamm.table.selection import NEEDED, read_needed
from iamm.table.table import Run

ROWS, SETTINGS, SEEDS = ("ours", "[rival]"), ("pictures", "text"), (0, 1, 2)
PLAN = TablePlan(
    name="small",
    title="A small table",
    about="Made up.",
    rows=ROWS,
    columns=(Column("accuracy", "accuracy", "a", "pictures"),),
    settings=SETTINGS,
    seeds=SEEDS,
    rates=(0.1,),
    choose_seeds=len(SEEDS),
    budget={},
    tolerance=None,
    test="t",
    seconds=200.0,
    claims=None,
    runs=tuple(
        PlannedRun(row, setting, 0.1, seed, f"{row}-{setting}-{seed}")
        for seed in SEEDS
        for row in ROWS
        for setting in SETTINGS
    ),
)


@pytest.fixture
def become(tmp_path):
    """A run's name and what became of it → its folder."""

    def make(name: str, state: str, **more) -> RunFolder:
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        folder.write_status(state, **more)
        return folder

    return make


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.strip()]


def test_every_state_is_counted(become, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("iamm.table.selection.read_own", lambda folder, values, keys: read_result(folder.path, keys))
    for seed, seconds in ((0, 10.0), (1, 30.0)):
        folder = become(f"ours-pictures-{seed}", "finished")
        folder.end_records()
        write_checksummed(folder.result, {**dict.fromkeys(NEEDED), "seconds": seconds})
    become("ours-pictures-2", "failed", error="a weight that is no number")
    become("ours-text-0", "interrupted")
    with become("[rival]-text-2", "running").held():
        show_listing(PLAN, read_needed(PLAN, tmp_path), tmp_path, jobs=2)
    printed = lines(capsys.readouterr().out)
    assert printed[0] == ["A", "small", "table"]
    assert " ".join(printed[1]) == "row setting finished running interrupted failed missing one run to do"
    assert printed[3:7] == [
        ["ours", "pictures", "2", "–", "–", "1", "–", "20", "s", "20", "s"],
        ["ours", "text", "–", "–", "1", "–", "2", "3", "min", "10", "min"],
        ["[rival]", "pictures", "–", "–", "–", "–", "3", "3", "min", "10", "min"],
        ["[rival]", "text", "–", "1", "–", "–", "2", "3", "min", "10", "min"],
    ]
    assert " ".join(printed[7]) == f"failed {tmp_path / 'ours-pictures-2'}: a weight that is no number"
    assert " ".join(printed[8]) == (
        "2 of 12 runs are finished; what is left takes about 15 min, 2 at once."  # (20 + 9 · 200) / 2 = 910 s
    )
    assert len(printed) == 9


def test_looking_writes_nothing(tmp_path):
    show_listing(PLAN, read_needed(PLAN, tmp_path / "outputs"), tmp_path / "outputs", jobs=2)
    assert list(tmp_path.iterdir()) == []


def test_a_run_costs_what_those_like_it_did():
    def run(seconds):
        return Run(PLAN.runs[0], "", "", None if seconds is None else {"seconds": seconds})

    assert cost([run(1.0), run(None), run(4.0)], 7.0) == 2.5
    assert cost([run(None)], 7.0) == 7.0
    assert cost([run(None)], None) is None


@pytest.mark.parametrize(
    ("left", "jobs", "expected"),
    [
        ([], 2, "nothing is left to run"),
        ([30.0], 4, "what is left takes about 30 s, 1 at once"),
        ([30.0, 31.0, 32.0], 2, "what is left takes about 46 s, 2 at once"),
        ([30.0, None], 2, "what is left takes a time that is not known yet"),
    ],
)
def test_the_outlook(left, jobs, expected):
    assert outlook(left, jobs) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (5999, "100 min"),
        (6000, "1.7 h"),
        (360_000, "100.0 h"),
    ],
)
def test_durations(seconds, expected):
    assert duration(seconds) == expected
