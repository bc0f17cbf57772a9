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
EXPORTED = [script for script in SCRIPTS if "torch.export.load(" in script]
RUN = (
    *("dataset=[digits]", "model=fam", "encoder.image.channels=[8,8]", "epochs=1", "dim=8"),
    *("log.pictures=0", "threads=1", "device=cpu"),
)


def python(folder, *words):
    answer = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script not in LOADING + EXPORTED])
def test_a_script(script, tmp_path):
    assert python(tmp_path, "-W", "error", "-c", script + NO_HYDRA)


def test_scripts_that_load_a_run_and_its_program(tmp_path):
    (script,), (alone,) = LOADING, EXPORTED
    python(tmp_path, "-m", "iamm.cli.train", *RUN)
    (run,) = (tmp_path / "outputs").glob("fam-*")
    run = run.rename(tmp_path / re.search(r'iamm\.load\("(.+)"\)', script)[1])
    assert len(script.strip().splitlines()) <= 10
    assert len(python(tmp_path, "-W", "error", "-c", script).splitlines()) == 5
    python(tmp_path, "-m", "iamm.cli.export", f"run={run}", "output=exported")
    assert len(alone.strip().splitlines()) <= 10
    without = "\nimport sys\nassert 'iamm' not in sys.modules\n"
    assert len(python(tmp_path, "-c", alone + without).splitlines()) == 5
