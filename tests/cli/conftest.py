"""The command, in this process or as a real one, in a small size and an empty directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from hydra.core.global_hydra import GlobalHydra

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = (
    *("dataset.shapes.train=64", "dataset.shapes.validation=16", "dataset.shapes.test=16"),
    *("dim=8", "epochs=1", "log.pictures=0", "threads=1", "device=cpu"),
    *("encoder.image.channels=[8,8]", "head.generation.max_length=3"),
)


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def small() -> tuple[str, ...]:
    """Overrides that make a run of the synthetic scenes last a moment."""
    return SMALL


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capfd):
    """Words of a command line → the answer of `iamm-train`, in this process."""
    from iamm.cli.train import main

    return in_process("iamm-train", main, monkeypatch, capfd)


@pytest.fixture
def table_command(monkeypatch, capfd):
    """Words of a command line → the answer of `iamm-table`, in this process."""
    from iamm.cli.table import main

    return in_process("iamm-table", main, monkeypatch, capfd)


@pytest.fixture
def plans(monkeypatch):
    """Each plan that `iamm-table` makes, with its runs; the latest last."""
    from iamm.table.planning import plan_table

    made = []

    def planned(*arguments):
        made.append(plan_table(*arguments))
        return made[-1]

    monkeypatch.setattr("iamm.table.planning.plan_table", planned)
    return made


def in_process(name, main, monkeypatch, capfd):
    def run(*words: str) -> Answer:
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", [name, *words])
        capfd.readouterr()
        try:
            main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return Answer(code, *capfd.readouterr())

    return run


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def process(tmp_path):
    """Words of a command line → the answer of `iamm-train`, a real process."""
    return by_itself(["-m", "iamm.cli.train"], tmp_path)


@pytest.fixture
def script(tmp_path):
    """Words of a command line → the answer of `iamm-train` as pip installs it, a real process."""
    return by_itself([str(Path(sys.executable).with_name("iamm-train"))], tmp_path)


@pytest.fixture
def table_process(tmp_path):
    """Words of a command line → the answer of `iamm-table`, a real process."""
    return by_itself(["-m", "iamm.cli.table"], tmp_path)


def by_itself(program, tmp_path):
    def run(*words: str) -> Answer:
        call = [sys.executable, *program, *words]
        done = subprocess.run(call, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300)
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def started(tmp_path):
    """Words of a command line → a real process that runs on its own."""
    running = []

    def start(*words: str) -> subprocess.Popen:
        call = [sys.executable, "-m", "iamm.cli.train", *words]
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # tests in the background are deaf to it
        running.append(subprocess.Popen(call, cwd=tmp_path, env=environment(), preexec_fn=heard, **nowhere))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
