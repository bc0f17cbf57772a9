"""Files that are not as they were written: found before they are parsed; the older generation, or a clear end.

The long test: `pytest tests/faults --faults 2000`.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from iamm.engine import checkpoint
from iamm.engine.checkpoint import file_is_intact
from iamm.errors import BadDataError
from iamm.record import checksummed as seal
from iamm.record.run_folder import RunFolder, read_result

pytestmark = pytest.mark.long

FILES = ("last.pt", "previous.pt", "best.pt", "records.jsonl", "status.json", "result.json")


def flip(content: bytearray, draw: random.Random) -> None:
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def cut(content: bytearray, draw: random.Random) -> None:
    del content[draw.randrange(len(content)) :]


def zero(content: bytearray, draw: random.Random) -> None:
    """Some bytes, as a file system leaves a block that was never written."""
    start = draw.randrange(len(content))
    end = min(len(content), start + draw.choice((1, 16, 512, 4096)))
    content[start:end] = bytes(end - start)


def spoilt(path: Path, draw: random.Random) -> None:
    """Another content than before."""
    before = path.read_bytes()
    content = bytearray(before)
    while content == before:
        draw.choice((flip, cut, zero))(content, draw)
    path.write_bytes(bytes(content))


def caught(folder: RunFolder, name: str) -> bool:
    """Whether the reader of this file finds out."""
    path = folder.path / name
    try:
        if name == "records.jsonl":
            folder.read_records()
        elif name == "result.json":
            read_result(folder.path)
        elif name == "status.json":
            seal.checked(path.read_bytes())
        else:
            checkpoint.unpacked(path.read_bytes())
    except (BadDataError, ValueError):
        return not file_is_intact(path)
    return False


def test_random_corruptions(undisturbed, tmp_path, monkeypatch, request):
    """None is parsed: neither torch nor JSON is asked before the sums are right."""
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(undisturbed("interest guidance"), folder.path)
    for parser in ((torch, "load"), (json, "loads")):
        monkeypatch.setattr(*parser, lambda *_, **__: pytest.fail("parsed"))
    count = request.config.getoption("--faults") or 100
    draw = random.Random(count)
    missed = []
    for _ in range(count):
        name = draw.choice(FILES)
        before = (folder.path / name).read_bytes()
        spoilt(folder.path / name, draw)
        missed += [] if caught(folder, name) else [name]
        (folder.path / name).write_bytes(before)
    assert missed == []


@pytest.fixture
def interrupted(life):
    """A run that was asked to leave on its way, after its first validation: its folder, and a way to go on."""
    running = life()
    needed = ("previous.pt", "records.jsonl", "best.pt")
    running.wait(60.0, lambda: all(list(running.output.glob(f"*/{name}")) for name in needed))
    running.process.terminate()
    assert running.end()[0] == 143
    (run,) = running.output.iterdir()
    return run, life


def test_the_older_generation_is_taken(interrupted, undisturbed, same_end):
    run, life = interrupted
    spoilt(run / "last.pt", random.Random(1))
    going_on = life()
    code, said = going_on.end()
    assert code == 0, said
    assert "note: last.pt is damaged; this run goes on from previous.pt, step " in going_on.printed()
    same_end(undisturbed("interest guidance"), run)


def test_nothing_is_restarted_in_silence(interrupted):
    run, life = interrupted
    for name in ("last.pt", "previous.pt"):
        spoilt(run / name, random.Random(2))
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name not in ("status.json", ".lock")}
    code, said = life().end()
    assert code == 65
    assert said.startswith("iamm-train: A checkpoint must be as it was written. Found outputs"), said
    assert "last.pt and outputs" in said
    assert said.endswith("damaged: their SHA-256 is not right. Start anew with rerun=true.\n")
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.name in before}


@pytest.mark.parametrize("name", ["records.jsonl", "events.out.tfevents.*"])
def test_changed_records_and_curves_are_written_anew(interrupted, undisturbed, same_end, name):
    run, life = interrupted
    (path,) = run.glob(name)
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(bytes(content))
    going_on = life()
    code, said = going_on.end()
    assert code == 0, said
    assert ("their curves are written anew from the records" in going_on.printed()) == name.startswith("events")
    same_end(undisturbed("interest guidance"), run)


def test_a_damaged_best_model_is_noticed_at_once(interrupted):
    run, life = interrupted
    (run / "best.pt").write_bytes(b"damaged")
    before = (run / "last.pt").stat().st_mtime_ns
    code, said = life().end()
    assert code == 65
    assert said.startswith("iamm-train: A run goes on with its best model. Found outputs"), said
    assert (run / "last.pt").stat().st_mtime_ns == before


def test_a_run_without_checkpoints_says_that_it_starts_anew(interrupted, undisturbed, same_end):
    run, life = interrupted
    for path in run.glob("*.pt"):
        path.unlink()
    going_on = life()
    assert going_on.end()[0] == 0
    assert "note: there is no checkpoint of this run left; it starts anew." in going_on.printed()
    same_end(undisturbed("interest guidance"), run)


def test_a_status_that_is_damaged_is_in_nobodys_way(interrupted, undisturbed, same_end):
    run, life = interrupted
    (run / "status.json").write_text('{"state": "finished"}')
    assert RunFolder(run).state() == ("interrupted", "")
    assert life().end()[0] == 0
    same_end(undisturbed("interest guidance"), run)


def test_other_threads_are_refused(interrupted):
    _, life = interrupted
    code, said = life("threads=2").end()
    assert code == 2
    assert said == (
        "iamm-train: A run goes on with the threads that it began with. Found threads=2, begun with 1: "
        "add threads=1, or start anew with rerun=true.\n"
    )


def test_a_folder_in_use_is_left_alone(life):
    first = life("epochs=9")
    first.wait(60.0, first.running)
    code, said = life("epochs=9").end()
    assert code == 75
    assert said.startswith("iamm-train: One process a run folder. Found outputs"), said
    first.process.terminate()
    assert first.end()[0] == 143


def test_leftovers_are_swept(interrupted):
    run, life = interrupted
    for name in ("last.pt.tmp", "status.json.tmp"):
        (run / name).write_bytes(b"half")
    assert life().end()[0] == 0
    assert not list(run.glob("*.tmp"))
