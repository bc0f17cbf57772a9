"""Every command of README and docs: plain for a shell, composed and checked here, run in the second tier."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").glob("*.md"))]
OPTIONAL = {
    "hydra/sweeper=optuna": "hydra_plugins.hydra_optuna_sweeper",
    "hydra/launcher=ray": "hydra_plugins.hydra_ray_launcher",
}


def fences(page: Path) -> list[str]:
    """The shell blocks of a page."""
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """The lines that call a command of the project, continued lines joined."""
    lines = [line for block in fences(page) for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if re.match(r"(IAMM_ALLOW=\S+ )?iamm-\w+", line)]


COMMANDS = [(page.relative_to(ROOT).as_posix(), line) for page in PAGES for line in commands(page)]


@pytest.fixture
def calls(monkeypatch, tmp_path):
    """What would be run, in a folder with a user's own YAML files and a run folder."""
    made: list[object] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUN", "outputs/run")
    for place in ("iamm.run.job.train_job", "iamm.run.job.evaluate_job", "iamm.run.verify.verify_job"):
        monkeypatch.setattr(place, lambda *words, **more: made.append(words))
    monkeypatch.setattr("iamm.sweep.sweep.sweep", lambda *words: made.append(words) or [])
    monkeypatch.setattr("iamm.sweep.summary.summarize", lambda cells: None)
    monkeypatch.setattr("iamm.table.work.finish", lambda job: made.append(job) or 0)
    for group, shipped in (("attention", "additive"), ("weighting", "equal"), ("table", "image")):
        folder = tmp_path / "my_configs" / group
        folder.mkdir(parents=True)
        (folder / "mine.yaml").write_text((ROOT / "configs" / group / f"{shipped}.yaml").read_text())
    return made


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{page}: {line[:50]}" for page, line in COMMANDS])
def test_a_command_is_right_as_printed(page, line, calls, monkeypatch, capfd):
    if "$(" in line:  # the page's first block is run by a shell below
        return None
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)
    assert not re.search(r"[\[\](){}<>*?]", bare), "zsh and bash would expand or redirect this"
    words = [os.path.expandvars(word) for word in shlex.split(line, comments=True)]
    words = [word for word in words if not word.startswith("IAMM_ALLOW=")]
    for option, package in OPTIONAL.items():
        if option in words:
            pytest.importorskip(package)
    name, *arguments = words
    if name in ("iamm-predict", "iamm-export", "iamm-data", "iamm-runs"):
        return check_keys(name, arguments)
    if {"--help", "--cfg", "--summary"} & {*arguments}:
        return None
    module = __import__(f"iamm.cli.{name.removeprefix('iamm-')}", fromlist=["main"])
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    with pytest.raises(SystemExit) as left:
        module.main()
    assert left.value.code == 0, capfd.readouterr().err
    assert calls
    return None


def check_keys(name: str, arguments: list[str]) -> None:
    """Each key of the smaller commands stands in their help."""
    help_text = __import__(f"iamm.cli.{name.removeprefix('iamm-')}", fromlist=["HELP"]).HELP
    for word in arguments:
        assert re.search(rf"\b{re.escape(word.split('=')[0])}\b", help_text), word


def test_the_chinese_page_has_the_same_commands():
    ours, theirs = (
        [re.sub(r"\s+#.*", "", line) for block in fences(page) for line in block.splitlines()] for page in PAGES[:2]
    )
    assert ours == theirs


@pytest.mark.long
@pytest.mark.parametrize("page", ["tour", "variants"])
def test_a_page_from_its_first_to_its_last_line(page, tmp_path):
    """The first block of the page, as a reader pastes it, and again in another shell, where its runs are finished."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    block = fences(ROOT / "docs" / f"{page}.md")[0]
    for shell in filter(which, ("bash", "zsh")):
        done = subprocess.run(
            [shell, "-ec", block], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
