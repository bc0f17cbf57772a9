"""How much memory this process may still take: what the system has left, and a limit of its control group."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from iamm.errors import BadDataError
from iamm.processors import GROUPS, OWN, control_groups

SYSTEM = Path("/proc/meminfo")
LIMITS = ("memory.max", "memory.limit_in_bytes")
"""Files of a control group, of the second version and the first."""


def available_memory() -> int | None:
    """Bytes; None where the system does not tell."""
    found: list[int] = []
    with suppress(OSError):
        found += [int(kib) << 10 for kib in re.findall(r"^MemAvailable:\s+(\d+) kB", SYSTEM.read_text(), re.MULTILINE)]
    for folder in control_groups(GROUPS, OWN, "memory"):
        for name in LIMITS:
            with suppress(OSError, ValueError):  # not there, or without a limit
                found.append(int((folder / name).read_text()))
    return min(found, default=None)


def require_memory(what: str, size: int, remedy: str) -> None:
    """Raises:
    BadDataError: `what` takes `size` bytes, more than there are.
    """
    there = available_memory()
    if there is not None and size > there:
        raise BadDataError(
            f"What is trained on must fit into memory. Found {what}, which takes {size / 2**20:,.0f} MiB of "
            f"{there / 2**20:,.0f} MiB: {remedy}."
        )
