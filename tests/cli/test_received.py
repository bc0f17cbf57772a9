"""A run folder from anybody: what is no plain file in it is refused in one line, and nothing outside it is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

WORDS = ("dataset=shapes", "model=fam", "steps=1", "log.pictures=1")
KINDS = ("link", "dangling link", "pipe", "folder")


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """The folder of a finished run, to be copied."""
    from .conftest import SMALL, environment

    place = tmp_path_factory.mktemp("made")
    call = [sys.executable, "-m", "iamm.cli.train", *SMALL, *WORDS]
    subprocess.run(call, cwd=place, env=environment(), check=True, capture_output=True, timeout=300)
    (run,) = (place / "outputs").iterdir()
    return run


@pytest.fixture
def received(finished_run, tmp_path):
    """A copy of it below `outputs`, and a file and a folder of somebody's beside it."""
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "val-mine.png").write_text("private")
    run = tmp_path / "outputs" / finished_run.name
    shutil.copytree(finished_run, run)
    return run


def spoil(path: Path, kind: str, private: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(private if kind == "link" else "nowhere")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["result.json", "best.pt", "config.yaml"])
def test_evaluated(received, command, tmp_path, name, kind):
    spoil(received / name, kind, tmp_path / "private" / "val-mine.png")
    answer = command("mode=eval", f"run={received}", "device=cpu")
    assert answer.code in (65, 66)
    assert answer.err.count("\n") == 1
    assert name in answer.err
    assert "private" not in answer.err.replace(f"{tmp_path}", "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [".lock", "records.jsonl", "last.pt", "scenes.json", "pictures", "log.txt", "events"])
def test_gone_on_with(received, command, small, tmp_path, name, kind):
    """The command of the run, which holds the folder, with and without `rerun=true`."""
    path = next(received.glob("events.*")) if name == "events" else received / name
    private = tmp_path / "private" if name == "pictures" else tmp_path / "private" / "val-mine.png"
    (received / "result.json").unlink()
    spoil(path, kind, private)
    before = contents(tmp_path / "private")
    for more in ((), ("rerun=true",)):
        answer = command(*small, *WORDS, *more)
        assert answer.code in (0, 65, 73), answer.err
        assert answer.err.count("\n") == (answer.code > 0), answer.err
        assert contents(tmp_path / "private") == before
    assert not (tmp_path / "outputs" / "nowhere").exists()
    assert not (received / "nowhere").exists()


def test_verified_elsewhere(received, command, tmp_path, monkeypatch):
    """Nothing in the folder changes, although it holds a `verify` and temporary files of somebody's."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (received / "verify").mkdir()
    (received / "verify" / "mine").write_text("mine")
    (received / "notes.tmp").write_text("mine")
    before = contents(received)
    answer = command("mode=verify", f"run={received}")
    assert (answer.code, answer.err) == (0, "")
    assert "The run was repeated and matched, to the last bit" in answer.out
    assert contents(received) == before
    assert not list(tmp_path.glob("iamm-verify-*"))


@pytest.mark.parametrize("output", ["pipe", "full"])
def test_a_training_outlasts_its_output(tmp_path, small, output):
    """A reader that leaves, as `| head -1` does, and a device that is full."""
    from .conftest import environment

    call = [sys.executable, "-m", "iamm.cli.train", *small, *WORDS[:3]]
    read, write = os.pipe()
    os.close(read)
    target = write if output == "pipe" else os.open("/dev/full", os.O_WRONLY)
    done = subprocess.run(
        call, cwd=tmp_path, env=environment(), stdout=target, stderr=subprocess.PIPE, text=True, timeout=300
    )
    said = "" if output == "pipe" else "note: the rest of the output is lost: No space left on device\n"
    assert (done.returncode, done.stderr) == (0, said)
    assert list(tmp_path.glob("outputs/*/result.json"))
