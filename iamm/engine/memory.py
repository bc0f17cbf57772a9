"""Peak memory of a run."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

import torch

PROCESS = Path("/proc/self")


def reset_peak(device: torch.device) -> None:
    """Reset the peak, so that earlier runs of a sweep do not count; possible on Linux and on GPUs only."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        (PROCESS / "clear_refs").write_text("5")  # the peak becomes the present size, see proc(5)
    except OSError:
        return


def peak_memory_mib(device: torch.device) -> float:
    """The GPU's largest allocation, or the process's largest resident size, since `reset_peak`; in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        match = re.search(r"^VmHWM:\s+(\d+) kB", (PROCESS / "status").read_text(), flags=re.MULTILINE)
    except OSError:
        match = None
    if match:
        return int(match[1]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
