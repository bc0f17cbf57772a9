"""Provenance of a run: versions, commit, processor."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("iamm", "torch", "numpy", "hydra-core", "omegaconf", "sacrebleu", "sentencepiece", "scikit-learn", "pillow")


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def commit(folder: Path) -> str | None:
    """The git commit of the checkout that the code runs from, else None.

    Where files differ from the commit, `+changes-` and 8 hex digits of their difference's SHA-256 stand behind it.
    """
    try:
        head, changes = (
            subprocess.run(["git", "-C", str(folder), *call], capture_output=True, check=True).stdout.strip()
            for call in (("rev-parse", "HEAD"), ("diff", "HEAD", "--", "."))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.decode() + (f"+changes-{hashlib.sha256(changes).hexdigest()[:8]}" if changes else "")


def slow_precision(precision: str, device: torch.device) -> str | None:
    """A warning where bf16 is only emulated: it can be a hundred times slower than fp32."""
    if precision != "bf16" or device.type != "cpu":
        return None
    fast = ("avx512_bf16", "amx_bf16", "bf16")
    flags = cpu_flags()
    if not flags or flags & set(fast):
        return None
    return "this processor has no bf16 arithmetic, so precision=bf16 is emulated and slow; fp32 is faster here."


def cpu_flags() -> set[str]:
    """The processor's features; empty where the system does not list them."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}
