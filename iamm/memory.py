"""The memory that is available to this process, by the system and by its control group's limit."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from iamm.errors import BadDataError
from iamm.processors import GROUPS, MEMBERSHIP, control_groups

SYSTEM = Path("/proc/meminfo")
LIMITS = ("memory.max", "memory.limit_in_bytes")
"""Files of a control group, of the second version and the first."""


def available_memory() -> int | None:
    """Give the available bytes; None where the system does not report them."""
    limits: list[int] = []
    with suppress(OSError):
        limits += [int(kib) << 10 for kib in re.findall(r"^MemAvailable:\s+(\d+) kB", SYSTEM.read_text(), re.MULTILINE)]
    for folder in control_groups(GROUPS, MEMBERSHIP, "memory"):
        for name in LIMITS:
            with suppress(OSError, ValueError):  # not there, or without a limit
                limits.append(int((folder / name).read_text()))
    return min(limits, default=None)


def require_memory(what: str, size: int, remedy: str) -> None:
    """Raises:
    BadDataError: `what` takes `size` bytes, more than are available.
    """
    available = available_memory()
    if available is not None and size > available:
        raise BadDataError(
            f"What is trained on must fit into memory. Found {what}, which takes {size / 2**20:,.0f} MiB of "
            f"{available / 2**20:,.0f} MiB: {remedy}."
        )
