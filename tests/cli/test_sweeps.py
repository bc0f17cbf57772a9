"""Sweeps side by side: what one run does leaves the others alone, and nothing that is finished is lost or repeated."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from iamm.record.checksummed import write_checksummed
from iamm.record.run_folder import RunFolder
from iamm.run.planned import Cell
from iamm.sweep.pool import ProcessOutcome, last_line, run_cells

BAD = """
import os, signal, sys, time

from iamm.weighting.equal import EqualWeighting


def raises(scenes):
    raise RuntimeError("made to fail")


def aborts(scenes):
    os.abort()


def killed(scenes):
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(scenes):
    print("no words for it")
    os._exit(7)


def hangs(scenes):
    time.sleep(1000)
"""
WAYS = ("raises", "aborts", "killed", "leaves", "hangs")


@pytest.fixture
def bad_ways(tmp_path, monkeypatch):
    """`--config-dir` of weightings that end a run in every way a run can end."""
    (tmp_path / "bad.py").write_text(BAD)
    folder = tmp_path / "mine" / "weighting"
    folder.mkdir(parents=True)
    for way in WAYS:
        (folder / f"{way}.yaml").write_text(f"# Ends a run.\n_target_: bad.{way}\n_partial_: true\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("IAMM_ALLOW", "bad")
    return "--config-dir=mine"


def runs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in ("sweeps", "tables"))


def state(run: Path) -> dict:
    return json.loads((run / "status.json").read_text())


def result(run: Path) -> dict:
    return json.loads((run / "result.json").read_text())


def records(run: Path) -> list:
    """All that is recorded but times."""
    lines = (run / "records.jsonl").read_text().splitlines()
    return [(r["kind"], r["step"], r["values"]) for r in map(json.loads, lines[:-1])]  # the last one seals


def wait_for(true: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(process: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_each_run_has_the_bits_of_a_run_by_itself(process, table_process, command, small, tmp_path):
    answer = process("-m", *small, "seed=0,1", "fusion=none,shared")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("4 runs, ")
    lines = re.findall(r"^\[\d/4\] done    (\S+) (\S+)  validation \d+\.\d\d  ", answer.out, flags=re.MULTILINE)
    assert sorted(lines) == [(f"seed={seed}", f"fusion={fusion}") for seed in (0, 1) for fusion in ("none", "shared")]
    text = next((tmp_path / "outputs" / "sweeps").glob("*.csv")).read_text()
    best = [float(row["validation"]) for row in csv.DictReader(text.splitlines())]
    assert best == sorted(best, reverse=True)
    again = process("-m", *small, "seed=0,1", "fusion=none,shared").out
    assert again.count("] reused  seed=") == 4
    compare = re.search(r"^compare +iamm-table (.+)$", again, flags=re.MULTILINE)
    assert "4 of 4 runs are finished" in table_process(*compare[1].split(), "list=true").out
    for seed in (0, 1):
        for fusion in ("none", "shared"):
            assert command(*small, f"seed={seed}", f"fusion={fusion}", "output_dir=alone").code == 0
    pairs = list(zip(runs(tmp_path / "outputs"), runs(tmp_path / "alone"), strict=True))
    assert len(pairs) == 4
    for swept, alone in pairs:
        assert swept.name == alone.name
        assert result(swept)["test"] == result(alone)["test"]
        assert records(swept) == records(alone)
        assert "run folder" in (swept / "log.txt").read_text()


def test_a_run_that_another_driver_has_just_finished_is_not_written_again(command, small, tmp_path, monkeypatch):
    """Both looked before either took the lock."""
    words = (*small, "dataset=shapes", "model=fam", "steps=1")
    assert command(*words).code == 0
    (run,) = runs(tmp_path / "outputs")
    before = {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in run.iterdir() if path.name != ".lock"
    }
    monkeypatch.setattr("iamm.run.job.complete", lambda cell: False)
    assert command(*words).code == 0
    assert {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in run.iterdir() if path.name in before
    } == before


def test_a_broken_run_folder_is_one_failed_run(command, process, small, tmp_path):
    """A link in its place, its model removed, or a file of it lost that the run can write again; the others go on."""
    words = (*small, "dataset=shapes", "model=fam", "steps=1")
    for seed in range(3):
        assert command(*words, f"seed={seed}").code == 0
    linked, spoilt, mended = sorted(runs(tmp_path / "outputs"), key=lambda run: run.name.split("seed")[1])
    linked.rename(tmp_path / "away")
    linked.symlink_to(tmp_path / "away")
    (spoilt / "best.pt").unlink()
    before = (mended / "records.jsonl").read_text()
    (mended / "records.jsonl").unlink()
    answer = process("-m", *words, "seed=0,1,2,3")
    assert (answer.code, answer.err) == (3, "")
    assert "  seed=0  A run folder must be a plain one. Found outputs/fam-shapes-seed0-" in answer.out
    assert "  seed=1  A finished run's files must be as they were written. Found best.pt of outputs/fam-" in answer.out
    assert sorted(re.findall(r"\] done    seed=(\d)", answer.out)) == ["2", "3"]
    assert "2 of 4 runs failed:" in answer.out
    assert "note: records.jsonl damaged; this run is brought to its end again." in (mended / "log.txt").read_text()
    assert [json.loads(line)["kind"] for line in before.splitlines()] == [
        json.loads(line)["kind"] for line in (mended / "records.jsonl").read_text().splitlines()
    ]


def test_a_sweep_says_that_the_path_of_temporary_files_is_too_long(process, small, tmp_path, monkeypatch):
    """The socket of its fork server lies there."""
    long = tmp_path / ("x" * 110)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    answer = process("-m", *small, "seed=0,1")
    assert answer.code == 73
    assert answer.err == (
        "iamm-train: A sweep must be able to start processes. Found: AF_UNIX path too long. Set TMPDIR to a folder "
        "with a short path, or look at the limit of processes.\n"
    )
    assert not list((tmp_path / "outputs").glob("*/result.json"))


def test_an_output_in_ascii(process, small, tmp_path, monkeypatch):
    """Of the sweep, and of each run's log."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    answer = process("-m", "dataset=shapes", "model=fam", "steps=1", "seed=0,1", 'output_dir="\u03b1"', *small)
    assert answer.code == 0, answer.err
    assert "[2/2] done" in answer.out
    logs = [path.read_bytes() for path in (tmp_path / "\u03b1").glob("*/log.txt")]
    assert len(logs) == 2
    assert all(rb"run folder  \u03b1/" in log for log in logs)
    assert process("--help").code == 0


@pytest.mark.long
def test_bad_runs_leave_the_others_alone(process, small, bad_ways, tmp_path):
    answer = process("-m", *small, f"weighting={','.join(WAYS)},equal", "sweep.silence=20", bad_ways)
    assert (answer.code, answer.err) == (3, "")
    said = answer.out[answer.out.index("5 of 6 runs failed:") :]
    reasons = {
        "RuntimeError in bad.py, line 8: made to fail (IAMM_TRACEBACK=1 shows the traceback)",
        "killed by SIGABRT",
        "killed by SIGKILL",
        "no words for it",
        "stopped: no sign of life for 20 s",
    }
    assert all(reason in said for reason in reasons)
    (whole,) = [run for run in runs(tmp_path / "outputs") if (run / "result.json").exists()]
    assert result(whole)["choices"]["weighting"] == "equal"
    assert {RunFolder(run).state() for run in runs(tmp_path / "outputs") if run != whole} == {
        ("failed", reason) for reason in reasons
    }
    before = (whole / "result.json").stat().st_mtime_ns
    assert process("-m", *small, "weighting=raises,equal", bad_ways).code == 3
    assert (whole / "result.json").stat().st_mtime_ns == before


@pytest.mark.long
def test_no_run_outlives_its_sweep(started, process, small, tmp_path):
    """The driver is killed, with two runs on their way; the same command goes on and ends as if nothing had been."""
    length = (*small, "epochs=12", "dataset.shapes.train=640")
    words = ("-m", *length, "seed=0,1,2", "sweep.jobs=2")
    driver = started(*words)
    wait_for(lambda: len(list((tmp_path / "outputs").glob("*/last.pt"))) == 2)
    live = [state(run)["process"] for run in runs(tmp_path / "outputs")]
    assert all(alive(one) for one in live)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    wait_for(lambda: not any(alive(one) for one in live), 30)
    assert not list((tmp_path / "outputs").glob("*/result.json"))
    assert {RunFolder(run).state()[0] for run in runs(tmp_path / "outputs")} == {"interrupted"}
    answer = process(*words)
    assert (answer.code, answer.err) == (0, "")
    assert process(*length, "seed=0", "output_dir=whole").code == 0
    (whole,) = runs(tmp_path / "whole")
    again, *others = runs(tmp_path / "outputs")
    assert [state(run)["state"] for run in others] == ["finished"] * 2
    assert records(again) == records(whole)
    assert result(again)["test"] == result(whole)["test"]


@pytest.mark.long
@pytest.mark.parametrize("what", ["the fork server", "a run folder"])
def test_what_is_taken_from_a_sweep_takes_no_other_run(what, started, small, tmp_path):
    """The fork server is killed, and its runs begin again; or a folder is moved away, and its run alone fails."""
    driver = started("-m", *small, "epochs=12", "dataset.shapes.train=640", "seed=0,1", "sweep.jobs=2")
    wait_for(lambda: len(list((tmp_path / "outputs").glob("*/last.pt"))) == 2)
    first = runs(tmp_path / "outputs")[0]
    lost = what == "a run folder"
    if lost:
        first.rename(tmp_path / "away")
    else:
        os.kill(parent(state(first)["process"]), signal.SIGKILL)
    assert driver.wait(300) == (3 if lost else 0)
    assert len(list((tmp_path / "outputs").glob("*/result.json"))) == (1 if lost else 2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_sweep_that_is_asked_to_leave(number, code, started, small, tmp_path):
    driver = started("-m", *small, "epochs=200", "dataset.shapes.train=640", "seed=0,1,2,3", "sweep.jobs=2")
    wait_for(lambda: len(list((tmp_path / "outputs").glob("*/last.pt"))) == 2)
    driver.send_signal(number)
    assert driver.wait(60) == code
    assert [state(run)["state"] for run in runs(tmp_path / "outputs")] == ["interrupted"] * 2


def test_configurations_are_those_of_the_start(started, small, tmp_path):
    """A YAML that is edited while a sweep runs changes nothing that is planned."""
    own = tmp_path / "mine" / "schedule" / "mine.yaml"
    own.parent.mkdir(parents=True)
    shipped = Path(__file__).parents[2] / "configs" / "schedule" / "step.yaml"
    own.write_text(shipped.read_text())
    words = ("-m", "--config-dir=mine", *small, "schedule=mine", "seed=0,1", "sweep.jobs=1")
    driver = started(*words)
    wait_for(lambda: len(runs(tmp_path / "outputs")) == 1 if (tmp_path / "outputs").exists() else False)
    own.write_text("# Broken.\n_target_: nowhere.Nothing\n")
    assert driver.wait(120) == 0
    assert len({json.dumps(result(run)["config"]["schedule"]) for run in runs(tmp_path / "outputs")}) == 1


def test_the_same_cell_twice_is_run_once(tmp_path, monkeypatch):
    """Finished already: told once, nothing started."""
    values = {"seed": 1, "output_dir": str(tmp_path), "rerun": False, "dataset": {}}
    cell = Cell(values, {"model": "iamm", "dataset": "shapes"})
    cell.folder.path.mkdir()
    write_checksummed(cell.folder.result, {"test": {}, "config": values})
    told: list[ProcessOutcome] = []
    assert run_cells([cell, cell], 2, 1.0, told.append) == []
    assert told == [ProcessOutcome(cell, 0, "", reused=True)]


def test_values_that_make_no_other_run(command, small, tmp_path):
    answer = command("-m", *small, "dataset=shapes", "nonfinite=stop,skip")
    assert answer.code == 2
    assert "Found `nonfinite` alone to differ, stop and skip" in answer.err
    assert not (tmp_path / "outputs").exists()


def test_the_same_seed_thrice_is_one_run(command, small, monkeypatch):
    given = []
    monkeypatch.setattr("iamm.sweep.summary.summarize", lambda cells: None)
    monkeypatch.setattr("iamm.sweep.sweep.sweep", lambda cells, launcher: given.append(len(cells)) or [])
    assert command("-m", *small, "seed=1,1,1").code == 0
    assert given == [1]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    values = {"seed": 1, "output_dir": str(tmp_path / "file"), "rerun": False}
    (outcome,) = run_cells([Cell(values, {"model": "iamm", "dataset": "shapes"})], 1, 1.0, lambda _: None)
    assert outcome.code == 73
    assert outcome.reason == "A run folder must be writable: Not a directory."


def test_last_words(tmp_path):
    folder = RunFolder(tmp_path)
    folder.log.write_text("one\niamm-train: the reason\n\n")
    assert last_line(folder, 2) == "the reason"
    assert last_line(folder, -signal.SIGSEGV) == "killed by SIGSEGV"
    folder.log.write_text("")
    assert last_line(folder, 9) == "left with exit code 9"


def test_cells_are_what_they_were(tmp_path):
    from iamm.run.planned import read_cell, write_cell

    cell = Cell({"seed": 3, "output_dir": "out", "dim": 8}, {"model": "iamm", "dataset": "a+b"})
    write_cell(tmp_path / "cell.json", cell)
    again = read_cell(tmp_path / "cell.json")
    assert again == cell
    assert again.name == cell.name
    assert again.folder.path == Path("out") / cell.name
    assert cell.name.startswith("iamm-a+b-seed3-")
    assert os.sep not in cell.name
