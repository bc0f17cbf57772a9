"""One process a folder, as long as it lives."""

from __future__ import annotations

import fcntl
import time
from typing import IO


def locked(lock: IO[str], kind: int = fcntl.LOCK_EX, patience: float = 2.0) -> bool:
    """Take the lock of an open file; False if another process still holds it after so many seconds.

    A look at the lock by a third process, or the end of a process that was killed, lasts a moment.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
