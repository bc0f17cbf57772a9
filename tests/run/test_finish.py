"""A finished training is never lost by what is shown of it."""

from __future__ import annotations

import json
import os

import pytest

from iamm.record.run_folder import read_result
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


def test_a_run_that_is_killed_while_it_draws_is_finished(planned, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("iamm.run.finish.draw", killed)
    cell = planned("log.pictures=1")
    with pytest.raises(KeyboardInterrupt):
        train_job(cell)
    assert (cell.folder.state(), status(cell)) == (("finished", ""), "finished")
    cell.folder.read_records()  # as they were written
    assert train_job(cell) == read_result(cell.folder.path)["validation_quality"]


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
