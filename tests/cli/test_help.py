from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from iamm.config.groups import known_keys, owners

CONFIGS = Path(__file__).parents[2] / "configs"
PARTS = ("normaliser", "pattern", "score")
FILES = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent != CONFIGS)


@pytest.fixture
def shown(command):
    answer = command("--help", "all")
    assert (answer.code, answer.err) == (0, "")
    return answer.out


def test_help_fits_two_screens_and_leads_on(command):
    lines = command("--help").out.splitlines()
    assert len(lines) <= 48
    assert max(map(len, lines)) < 80
    counts = {path.parent.name: len(list(path.parent.glob("*.yaml"))) for path in FILES}
    for group, count in counts.items():
        assert any(re.match(rf"  .*\b{group}= +{count}: ", line) for line in lines), group
    assert command("--help", "attention").out.startswith("attention=\n  adaptive_span ")
    assert "Keys" in command("--help", "keys").out


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}={path.stem}")
def test_every_choice_has_its_line_under_its_group(path, shown):
    group = path.parent.name
    heads = {
        "experiment": "+experiment=",
        "table": "iamm-table table=",
        **{part: f"{part}@attention.{part}=" for part in PARTS},
    }
    head = heads.get(group, f"{group}=")
    section = re.search(rf"^{re.escape(head)}\n((?:  .+\n)+)", shown, flags=re.MULTILINE)[1]
    line = next(line for line in section.splitlines() if line.split()[0] == path.stem)
    said = next(line for line in path.read_text(encoding="utf-8").splitlines() if "@package" not in line)
    assert line.split(maxsplit=1)[1] == said.removeprefix("# ")


def test_every_key_of_a_run_is_described(shown):
    keys = re.findall(r"^(\w+): .*# (.+)$", (CONFIGS / "train.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(keys) > 15
    for key, said in keys:
        assert re.search(rf"^  {key}=.* {re.escape(said)}$", shown, flags=re.MULTILINE), key


@pytest.mark.parametrize(("topic", "named"), [("fusion", True), ("table", True), ("schedule", False)])
def test_documents_are_explained_where_they_are_named(topic, named, command):
    assert ("docs/documents.md" in command("--help", topic).out) == named


def test_h_is_help(command, shown):
    assert command("-h", "all").out == shown


def test_keys_stand_where_an_override_finds_them():
    assert {"epochs", "log.every", "attention.heads", "encoder.text.layers", "dataset.shapes.train"} <= set(
        known_keys()
    )
    images = {"encoder@encoder.image=convolutional", "encoder@encoder.image=whitened"}
    assert owners()["encoder.image.channels"] == images
    assert owners()["optimizer.lr"] == {f"optimizer={file.stem}" for file in FILES if file.parent.name == "optimizer"}
    assert not [key for key in known_keys() if "hydra" in key or "defaults" in key or key.startswith("model.")]


def test_help_cut_short_by_its_reader_is_no_mistake():
    """A pipe holds some 64 KiB; closed before anything is read, even a short help meets a broken one."""
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time; time.sleep(0.5); from iamm.cli.command import print_help; print_help('help')",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 0
    child.stderr.close()


def test_help_on_a_choice_shows_its_keys(command):
    out = command("--help", "interest_guidance").out
    assert out.startswith("fusion=interest_guidance\n# IAMM: ")
    assert "\ncontrol: learnt # " in out
    assert command("--help", "fusion.control").out == command("--help", "fusion").out
    both = command("--help", "none").out
    assert "attention=none" not in both
    assert "fusion=none\n" in both


def test_help_on_what_there_is_not(command):
    assert command("--help", "fusoin").out == 'No group and no choice is called fusoin. Did you mean "fusion"?\n'


def test_help_on_a_choice_of_ones_own(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "fusion").mkdir(parents=True)
    (tmp_path / "mine" / "fusion" / "sums.yaml").write_text("# A sum.\nshare: 0.5\n")
    assert command("--config-dir", "mine", "--help", "sums").out == "fusion=sums\n# A sum.\nshare: 0.5\n"
