"""A finished training is never lost by what is shown of it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from iamm.errors import BadDataError
from iamm.record.run_folder import LASTING, RunFolder, read_result
from iamm.run.job import train_job


def status(cell):
    return json.loads(cell.folder.status.read_bytes())["state"]


@pytest.fixture
def broken_pictures(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no such\nfont")

    monkeypatch.setattr("iamm.run.finish.draw", broken)


def test_pictures_that_cannot_be_drawn_are_a_notice(planned, broken_pictures, capfd):
    cell = planned("log.pictures=1")
    quality = train_job(cell)
    first = capfd.readouterr().out
    notice = "pictures could not be written: RuntimeError: no such font"
    result = read_result(cell.folder.path)
    assert (result["notices"], result["validation_quality"], status(cell)) == ([notice], quality, "finished")
    assert f"note: {notice}" in first
    assert cell.folder.examples.exists()
    assert train_job(cell) == quality
    assert "This run is finished" in capfd.readouterr().out


@pytest.mark.parametrize("what", ["write_texts", "examples", "hparams"])
def test_whatever_else_is_shown(planned, what, monkeypatch):
    def full(self, *_):
        raise OSError(28, "No space left on device")

    cell, recorded = planned(), planned("output_dir=whole")
    train_job(recorded)
    plain = f"iamm.record.recorder.Recorder.{what}"
    validated = "iamm.record.recorder.Recorder.validated"
    monkeypatch.setattr(validated, lambda *_: None)  # writes texts too, in the midst of the training
    monkeypatch.setattr(plain, full)
    train_job(cell)
    result = read_result(cell.folder.path)
    assert result["test"] == read_result(recorded.folder.path)["test"]
    (notice,) = result["notices"]
    assert notice.endswith("could not be written: OSError: [Errno 28] No space left on device")


def test_a_run_that_is_killed_while_it_draws_draws_again(planned, monkeypatch):
    """It is finished once all is on the disk, and its training is not repeated."""

    def killed(*_, **__):
        raise KeyboardInterrupt

    cell = planned("log.pictures=1")
    with monkeypatch.context() as patched:
        patched.setattr("iamm.run.finish.draw", killed)
        with pytest.raises(KeyboardInterrupt):
            train_job(cell)
    assert (cell.folder.state(), status(cell)) == (("interrupted", ""), "interrupted")
    monkeypatch.setattr("iamm.engine.fit.Loop.step", lambda *_, **__: pytest.fail("trained again"))
    train_job(cell)
    assert (cell.folder.state(), status(cell)) == (("finished", ""), "finished")
    assert list(cell.folder.pictures.glob("*.png"))


def test_all_is_on_the_disk_before_the_result(planned, monkeypatch):
    """After a power cut, a run that has a result is whole."""
    fsync, replace = os.fsync, Path.replace
    on_disk, missing = {}, []

    def synced(handle):
        fsync(handle)
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path.is_file():
            on_disk[path.name.removesuffix(".tmp")] = path.read_bytes()

    def renamed(path, target):
        if target.name == "result.json":
            files = RunFolder(target.parent).own(LASTING)
            assert len({file.suffix for file in files} & {".png", ".jsonl", ".pt", ".yaml"}) == 4
            missing.extend(file.name for file in files if on_disk.get(file.name) != file.read_bytes())
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    train_job(planned("log.pictures=1"))
    assert "result.json" in on_disk
    assert missing == []


@pytest.fixture
def repaired(planned, monkeypatch, capfd):
    """Gives a finished run, and a function that gives its command again and returns what it prints."""
    cell = planned("log.pictures=1")
    train_job(cell)
    monkeypatch.setattr("iamm.engine.fit.Loop.step", lambda *_, **__: pytest.fail("trained again"))

    def again() -> str:
        capfd.readouterr()
        train_job(cell)
        return capfd.readouterr().out

    return cell.folder, again


def test_a_damaged_finished_run_is_brought_to_its_end_again(repaired):
    """As after a power cut on a disk that lies: zeros in the records, empty scalars and picture, no event file."""
    folder, again = repaired
    before, records = read_result(folder.path), folder.records.read_bytes()
    folder.records.write_bytes(records[:-40] + bytes(40))
    scalars = folder.scalars.read_bytes()
    folder.scalars.write_bytes(b"")
    picture, events = min(folder.pictures.glob("*.png")), folder.events()[-1]
    png = picture.read_bytes()
    picture.write_bytes(b"")
    events.unlink()
    damaged = f"{events.name}, pictures/{picture.name}, records.jsonl, scalars.csv damaged; this run is brought to its"
    assert f"note: {damaged} end" in again()
    after = read_result(folder.path)
    assert {key for key in before if before[key] != after[key]} <= {"written", "peak_memory_mib", "seconds"}
    assert picture.read_bytes() == png
    assert len(folder.scalars.read_bytes().splitlines()) == len(scalars.splitlines())
    assert len(folder.read_records().splitlines()) == len(records.splitlines())
    assert "This run is finished" in again()


@pytest.mark.parametrize(("lost", "named"), [("best.pt", "best.pt"), ("last.pt", "scenes.json")])
def test_a_finished_run_that_cannot_be_repaired_is_left_as_it_is(repaired, lost, named):
    folder, again = repaired
    folder.previous.unlink(missing_ok=True)
    (folder.path / lost).write_bytes(b"")
    if lost == "last.pt":
        folder.last.unlink()
        folder.scenes.write_bytes(b"")
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    with pytest.raises(BadDataError, match=rf"as they were written\. Found {named} of .* damaged: bring them back"):
        again()
    assert {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before


def test_paths_that_are_no_utf8(planned, tmp_path, monkeypatch):
    """Neither the folder of the data nor that of the runs need have a name in UTF-8."""
    name = os.fsdecode(b"d\xffta")
    cell = planned()
    values = {**cell.values, "output_dir": str(tmp_path / name), "data_dir": name}
    odd = type(cell)(values, cell.choices)
    monkeypatch.setattr("iamm.run.job.show", lambda *_: None)
    train_job(odd)
    assert (tmp_path / name / odd.name / "result.json").read_bytes().decode()
    assert read_result(odd.folder.path)["config"]["data_dir"] == name
    assert odd.name == cell.name


def test_the_curve_is_measured_beside_the_run(planned):
    """It changes nothing else; at the chosen epoch it is the result."""
    plain, curved = planned("epochs=2"), planned("epochs=2", "log.test=true", "output_dir=curved")
    train_job(plain)
    train_job(curved)
    expected, found = (read_result(cell.folder.path) for cell in (plain, curved))
    assert "curve" not in expected
    assert found["test"] == expected["test"]
    for scene, epochs in found["curve"].items():
        assert len(epochs) == 2
        assert epochs[0]["train_loss"] > epochs[1]["train_loss"] > 0
        chosen = dict(epochs[found["best_epoch"] - 1])
        del chosen["train_loss"]
        assert chosen == found["test"][scene]
