"""The processors that this process may use, by its affinity (`taskset`, SLURM) and its control group's quota."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def processors() -> int:
    """Give the number of whole processors, at least 1."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([allowed, *map(int, quotas(GROUPS, MEMBERSHIP))]))


def quotas(groups: Path, membership: Path) -> Iterator[float]:
    """Yield the processors that each control group around this process may use, where it has a quota."""
    for folder in control_groups(groups, membership, "cpu"):
        yield from quota(folder)


def control_groups(groups: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Yield the folder of each control group around this process, of both versions.

    Args:
        groups: where the control groups are mounted.
        membership: the file that lists the groups of this process, a line `number:controllers:path` each.
        controller: of version 1: `cpu` or `memory`.
    """
    with suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                inside = Path(path.lstrip("/"))
                for part in (inside, *inside.parents):
                    yield groups / controller / part if controllers else groups / part


def quota(folder: Path) -> Iterator[float]:
    """Yield the quota of one control group, in processors."""
    with suppress(OSError, ValueError):  # not there, or without a limit
        if (folder / "cpu.max").exists():
            most, period = (folder / "cpu.max").read_text().split()
        else:
            most, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(most) > 0:
            yield int(most) / int(period)
