from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from iamm.engine.memory import PROCESS, peak_memory_mib, reset_peak

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (PROCESS / "clear_refs").exists(), reason="only Linux tells of a peak and forgets it")
def test_a_run_does_not_answer_for_the_one_before():
    """In a process of its own: torch keeps freed memory, here that of other tests, for what comes next."""
    code = f"from {__name__} import measure; measure()"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})


def measure() -> None:
    reset_peak(CPU)
    before = peak_memory_mib(CPU)
    block = torch.ones(100 * 2**20 // 4)  # 100 MiB
    assert 95 < peak_memory_mib(CPU) - before < 130
    del block
    reset_peak(CPU)
    assert peak_memory_mib(CPU) - before < 30
