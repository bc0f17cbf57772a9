"""The scripts of docs/library.md run as they stand; without Hydra, but for the one that reads a run's folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "docs" / "library.md").read_text(), re.DOTALL)
NO_HYDRA = "\nimport sys\nassert not {'hydra', 'omegaconf'} & set(sys.modules)\n"


LOADING = [script for script in SCRIPTS if "iamm.load(" in script]
RUN = (
    *("dataset=[digits]", "model=fam", "encoder.image.channels=[8,8]", "epochs=1", "dim=8"),
    *("log.pictures=0", "threads=1", "device=cpu"),
)


def python(folder, *words):
    answer = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in LOADING])
def test_a_script(script, tmp_path):
    assert python(tmp_path, "-W", "error", "-c", script + NO_HYDRA)


def test_a_script_that_loads_a_run(tmp_path):
    (script,) = LOADING
    python(tmp_path, "-m", "iamm.cli.train", *RUN)
    (run,) = (tmp_path / "outputs").glob("fam-*")
    run.rename(tmp_path / re.search(r'iamm\.load\("(.+)"\)', script)[1])
    assert len(script.strip().splitlines()) <= 10
    assert len(python(tmp_path, "-W", "error", "-c", script).splitlines()) == 5
