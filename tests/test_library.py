"""The scripts of docs/library.md run as they stand, without Hydra."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "docs" / "library.md").read_text(), re.DOTALL)
NO_HYDRA = "\nimport sys\nassert not {'hydra', 'omegaconf'} & set(sys.modules)\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=range(len(SCRIPTS)))
def test_a_script(script, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", script + NO_HYDRA], cwd=tmp_path, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout
