"""Completion at TAB: what is offered, and real shells that ask for it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iamm.cli.completion import SCRIPTS, completed

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("iamm-train attention=ad", ["attention=adaptive_span", "attention=additive"]),
        ("iamm-train -m fusion=none,sh", ["fusion=none,shared"]),
        ("iamm-train dataset=[shapes,mn", ["dataset=[shapes,mnist"]),
        ("iamm-train dataset=[shapes,sh", ["dataset=[shapes,shape_domains"]),
        ("iamm-train score@attention.score=af", ["score@attention.score=affine"]),
        ("iamm-train +experiment=multi", ["+experiment=multiscene", "+experiment=multiscene_real"]),
        ("iamm-train +", ["+experiment="]),
        ("iamm-train epo", ["epochs="]),
        ("iamm-train opt", ["optimizer.", "optimizer="]),
        ("iamm-train optimizer=sgd optimizer.m", ["optimizer.momentum="]),
        ("iamm-train optimizer=adam optimizer.mom", []),
        ("iamm-train attention=local attention.pattern.", ["attention.pattern.radius="]),
        ("iamm-train ~pat", ["~patience=", "~pattern@attention.pattern="]),
        ("iamm-train precision=", ["precision=bf16", "precision=fp16", "precision=fp32", "precision=int8"]),
        ("iamm-train log.conflict=t", ["log.conflict=true"]),
        ("iamm-train epochs=", []),
        ("iamm-train --cfg ", ["all", "hydra", "job"]),
        ("iamm-train --mul", ["--multirun"]),
        ("iamm-train zzz", []),
        ("iamm-table table=multiscene_", ["table=multiscene_real"]),
        ("/some/where/iamm-table li", ["list="]),
        ("iamm-table list=", ["list=false", "list=true"]),
    ],
)
def test_offered(line, found):
    assert completed(line) == found


def test_every_choice_is_offered():
    for folder in (path for path in CONFIGS.iterdir() if any(path.glob("*.yaml")) and path.name != "table"):
        offered = completed(f"iamm-train {folder.name}=")
        assert offered == sorted(f"{folder.name}={file.stem}" for file in folder.glob("*.yaml"))


def test_the_users_own(tmp_path):
    (tmp_path / "mine" / "attention").mkdir(parents=True)
    (tmp_path / "mine" / "attention" / "additional.yaml").write_text("")
    assert completed("iamm-train --config-dir m") == ["mine/"]
    for option in ("--config-dir mine", "--config-dir=mine", "-cd mine"):
        assert "attention=additional" in completed(f"iamm-train {option} attention=add")
    assert "attention=additional" not in completed("iamm-train attention=add")


def test_another_shell(command):
    answer = command("--completion=bsh")
    assert answer.code == 2
    assert (
        answer.err
        == 'iamm-train: `--completion` knows some shells. Found bsh. Did you mean "bash"? Choices: bash, zsh.\n'
    )
    assert command("--completion", "zsh").out == SCRIPTS["zsh"] + "\n"


@pytest.fixture
def path_of_commands(tmp_path):
    """A PATH with both commands, of this very checkout."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("train", "table"):
        (folder / f"iamm-{name}").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m iamm.cli.{name} "$@"\n')
        (folder / f"iamm-{name}").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def screen(shell: list[str], begin: str, typed: str, awaited: str, environment: dict[str, str]) -> str:
    """What a shell on a terminal shows after some keys, as soon as it shows what is awaited."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        shell, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True, close_fds=True
    )
    os.close(slave)
    shown = ""
    try:
        os.write(master, f"{begin}; echo rea''dy\n".encode())
        for keys, sign in ((typed, "ready\r\n"), ("", awaited)):
            deadline = time.monotonic() + 60
            while sign not in shown and time.monotonic() < deadline:
                if select.select([master], [], [], 0.1)[0]:
                    shown += os.read(master, 65536).decode(errors="replace")
            os.write(master, keys.encode())
    finally:
        child.kill()
        child.wait()
        os.close(master)
    return shown


SHELLS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
BEGIN = {"bash": "", "zsh": "PS1='$ '; autoload -Uz compinit; compinit -u -D; "}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "awaited"),
    [
        ("iamm-train attention=addi\t", "attention=additive"),
        ("iamm-train -m score@attention.score=aff\t", "score@attention.score=affine"),
        ("iamm-train dataset=[shapes,mn\t", "shapes,mnist"),
        ("iamm-train epo\t7", "epochs=7"),
        ("iamm-table table=multiscene_\t", "table=multiscene_real"),
    ],
)
def test_in_a_real_shell(shell, typed, awaited, path_of_commands, tmp_path):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH", "IAMM_DATA_DIR", "FPATH") if key in os.environ}
    environment = {**kept, "PATH": path_of_commands, "HOME": str(tmp_path), "TERM": "dumb", "PS1": "$ "}
    begin = f'cd {tmp_path}; {BEGIN[shell]}eval "$(iamm-train --completion={shell})"'
    keys = typed.replace("[", r"\[") if shell == "zsh" else typed  # which reads a bare one as a pattern of files
    assert awaited in screen(SHELLS[shell], begin, keys, awaited, environment)
