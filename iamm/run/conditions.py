"""The versions, commit and processor of a run, and the conditions under which a resumed run computes the same bits."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from iamm.errors import BadDataError, ConfigError

PACKAGES = ("iamm", "torch", "numpy", "hydra-core", "omegaconf", "sacrebleu", "sentencepiece", "scikit-learn", "pillow")


class Conditions:
    """A part of each checkpoint that refuses other threads, devices and data, and reports another version or machine.

    Another number of threads or of processes changes the order of sums; a key can restore it, so it is refused. Another
    version, device or instruction set may round differently; the run is resumed, and its result says so.

    Args:
        threads: of each operation.
        devices: the number of processes; None: one.
        device: of the model.
        data: data set → checksum.
    """

    def __init__(self, threads: int, devices: int | None, device: str, data: Mapping[str, str]) -> None:
        self.counts, self.data = {"threads": threads, "devices": devices or 1}, dict(data)
        self.machine: dict[str, Any] = {
            "commit": commit(Path(__file__).parent),
            **versions(),
            "device": device,
            "instructions": instructions(),
        }
        self.notices: list[str] = []
        self.commits = [self.machine["commit"]]
        """Of all parts of the run; more than one where the code changed before it was resumed."""
        self.source: dict[str, str] | None = None
        """The address and SHA-256 of the model that the run began from."""

    def state_dict(self) -> dict[str, Any]:
        saved = {**self.counts, "data": self.data, "machine": self.machine, "source": self.source}
        return {**saved, "commits": self.commits, "notices": self.notices}

    def values(self) -> dict[str, Any]:
        """What a result holds of them."""
        source = {"from": self.source} if self.source else {}
        return {"data": self.data, "commit": self.commits[-1], "commits": self.commits, **source}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Compare the saved conditions with the present ones.

        Raises:
            ConfigError: the number of threads or of devices differs.
            BadDataError: the data differ.
        """
        for key, now in self.counts.items():
            if now != (begun := state.get(key, 1)):
                raise ConfigError(
                    f"A run goes on with the {key} that it began with. Found {key}={now}, begun with {begun}: add "
                    f"{key}={begun}, or start anew with rerun=true."
                )
        changed = [name for name, sum in self.data.items() if state["data"].get(name) != sum]
        if changed:
            raise BadDataError(
                f"A run goes on with the data that it began with. Found {', '.join(changed)} changed: bring the data "
                "back, or start anew with rerun=true."
            )
        before = state["machine"]
        changes = [
            f"{name} {before.get(name)} before, {now} now"
            for name, now in self.machine.items()
            if before.get(name) != now
        ]
        self.notices, self.source = list(state["notices"]), state["source"]
        self.commits = list(dict.fromkeys((*state["commits"], *self.commits)))
        if changes:
            self.notices.append(f"this run went on elsewhere, so not surely to the same bits: {'; '.join(changes)}.")


def instructions() -> str:
    """The instruction set that torch's kernels were chosen for."""
    return str(torch.backends.cpu.get_cpu_capability())


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
