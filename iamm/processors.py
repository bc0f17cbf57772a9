"""How many processors this process may use: its affinity (`taskset`, SLURM) and a quota of its control group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def processors() -> int:
    """Whole processors, 1 at least."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(int, quotas(GROUPS, OWN))]))


def quotas(groups: Path, own: Path) -> Iterator[float]:
    """The processors that each control group around this process may use; none where none is set."""
    for folder in control_groups(groups, own, "cpu"):
        yield from quota(folder)


def control_groups(groups: Path, own: Path, controller: str) -> Iterator[Path]:
    """The folder of each control group around this process, of both versions.

    Args:
        groups: where the control groups are mounted.
        own: the file that names those of this process, a line `number:controllers:path` each.
        controller: of the first version: `cpu`, `memory`.
    """
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                inside = Path(path.lstrip("/"))
                for part in (inside, *inside.parents):
                    yield groups / controller / part if controllers else groups / part


def quota(folder: Path) -> Iterator[float]:
    """That of one control group."""
    with suppress(OSError, ValueError):  # not there, or without a limit
        if (folder / "cpu.max").exists():
            most, period = (folder / "cpu.max").read_text().split()
        else:
            most, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(most) > 0:
            yield int(most) / int(period)
