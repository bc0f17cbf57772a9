"""A run begins from another finished run's chosen model."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
import torch

from iamm.engine.checkpoint import load_saved
from iamm.engine.fit import Loop
from iamm.errors import BadDataError, ConfigError, MissingDataError
from iamm.record.run_folder import read_result
from iamm.run.job import train_job

SOURCE = ("steps=2", "seed=1", "output_dir=sources")
FIRST = ("steps=1", "optimizer.lr=1e-30", "optimizer.weight_decay=0")
"""One step that moves nothing in float32: what the run began with is what it ends with."""


@pytest.fixture
def source(planned):
    cell = planned(*SOURCE)
    train_job(cell)
    return cell.folder


def from_(folder) -> str:
    return f"from={folder.path}"


def test_the_model_and_its_record(planned, source):
    cell = planned(*FIRST, from_(source))
    train_job(cell)
    trained, begun = load_saved(cell.folder.best)["model"], load_saved(source.best)["model"]
    for name, values in trained.items():
        if "prototypes" not in name:  # which no learning rate holds back
            torch.testing.assert_close(values, begun[name], rtol=0, atol=0)
    result = read_result(cell.folder.path)
    sha256 = hashlib.sha256(source.best.read_bytes()).hexdigest()
    assert (result["from"], result["notices"]) == ({"run": source.path.name, "sha256": sha256}, [])


def test_the_address_is_of_the_content_not_of_the_place(planned, source, tmp_path):
    moved = tmp_path / "elsewhere" / source.path.name
    shutil.copytree(source.path, moved)
    names = [planned("steps=1", f"from={path}").name for path in (source.path, moved, f"{source.path}/")]
    assert len(set(names)) == 1
    assert planned("steps=1").name not in names
    assert planned("steps=1", "from=sources/iamm-shapes-seed2-00000000").name not in names


def test_what_is_new_and_what_is_left(planned, source):
    """Parts go together by their names: those of one scene fewer, and another fusion."""
    cell = planned(*FIRST, from_(source), "dataset.shapes.views=[image]", "fusion=none", "model=fam")
    train_job(cell)
    one, other = load_saved(cell.folder.best)["model"], load_saved(source.best)["model"]
    assert all(torch.equal(one[name], other[name]) for name in one)
    (notice,) = [line for line in read_result(cell.folder.path)["notices"] if "begun from" in line]
    assert notice.startswith(f"begun from {source.path.name}; left there: encoders.shapes_text, fusion.")
    assert "new here" not in notice


def test_a_run_that_goes_on_needs_its_source_no_more(planned, source):
    whole, cell = (planned("steps=3", "checkpoint.steps=1", from_(source), f"output_dir={at}") for at in ("one", "two"))
    train_job(whole)
    step, count = Loop.step, []

    def killed(self, *given, **named):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return step(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            train_job(cell)
    shutil.rmtree(source.path)
    train_job(cell)
    weights, others = load_saved(cell.folder.best)["model"], load_saved(whole.folder.best)["model"]
    torch.testing.assert_close(weights, others, rtol=0, atol=0)
    results = [read_result(one.folder.path) for one in (whole, cell)]
    assert results[0]["from"] == results[1]["from"]


def test_what_is_no_source(planned, source):
    """Missing, not finished, damaged, of another width: one line each, and nothing is written."""
    cell = planned("from=nowhere/iamm-shapes-seed0-01234567")
    with pytest.raises(MissingDataError, match=r"^`from` must name the folder of a finished run\. Found no result"):
        train_job(cell)
    other = planned(from_(source), "dim=16")
    with pytest.raises(ConfigError, match=r"^`from` must name a run whose parts have this run's shapes\. Found enc"):
        train_job(other)
    content = source.best.read_bytes()
    source.best.write_bytes(content[:-1] + b"x")
    damaged = planned(from_(source))
    with pytest.raises(BadDataError, match="must be whole"):
        train_job(damaged)
    source.best.unlink()
    with pytest.raises(MissingDataError, match=r"^A finished run must hold its model\. Found no "):
        train_job(damaged)
    source.result.write_text(json.dumps({}))
    with pytest.raises(BadDataError, match="must be whole"):
        train_job(damaged)
    assert not any(one.folder.path.exists() for one in (cell, other, damaged))
