"""Files without permission to read them: one line that names the file, nothing lost, and later the run goes on."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
WORDS = ("dataset=shapes", "model=fam", "steps=2", "epochs=2")


def heed_permissions() -> None:
    """Take from a process of root's, before it begins, the right to read what permissions forbid."""
    library = ctypes.CDLL(None)
    for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        library.prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


@pytest.fixture
def heeding(life, tmp_path):
    """More words → the exit code and the error of a command that heeds permissions."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o000)
    reading = subprocess.run(
        [sys.executable, "-c", f"open({str(secret)!r})"], preexec_fn=heed_permissions, capture_output=True
    )
    if reading.returncode == 0:
        pytest.skip("this user may read any file")
    return lambda *words: life(*WORDS, *words, before=heed_permissions).end()


@pytest.mark.parametrize("name", ["records.jsonl", "events.*", "best.pt", "result.json", "config.yaml"])
def test_a_finished_run_waits_for_its_file(heeding, tmp_path, name):
    assert heeding() == (0, "")
    (file,) = tmp_path.glob(f"outputs/*/{name}")
    result = (file.parent / "result.json").read_bytes()
    file.chmod(0o000)
    code, said = heeding()
    file.chmod(0o644)
    assert code == 65
    assert said == (
        f"iamm-train: A run's files must be plain and readable. Found {file.relative_to(tmp_path)}: Permission denied. "
        "Put it right, then give the same command again.\n"
    )
    assert (file.parent / "result.json").read_bytes() == result
    assert heeding() == (0, "")
    assert (file.parent / "result.json").read_bytes() == result


def test_an_interrupted_run_has_its_records_in_its_checkpoint(heeding, tmp_path):
    """Its records are written anew, and so are its curves; its checkpoints are waited for."""
    assert heeding() == (0, "")
    (records,) = tmp_path.glob("outputs/*/records.jsonl")
    values = [line["values"] for line in map(json.loads, records.read_text().splitlines()) if "values" in line]
    (records.parent / "result.json").unlink()
    records.chmod(0o000)
    (records.parent / "last.pt").chmod(0o000)
    code, said = heeding()
    assert code == 65
    assert f"{Path('outputs', records.parent.name, 'last.pt')}: Permission denied." in said
    (records.parent / "last.pt").chmod(0o644)
    assert heeding() == (0, "")
    again = [line["values"] for line in map(json.loads, records.read_text().splitlines()) if "values" in line]
    assert again == values
