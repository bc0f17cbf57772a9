"""One process a folder or file, as long as it lives."""

from __future__ import annotations

import errno
import fcntl
import time
from typing import IO, Any

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""Answers of file systems that have no locks, such as some mounts of Lustre and NFS."""


def locked(lock: IO[Any], kind: int = fcntl.LOCK_EX, patience: float = 2.0) -> bool:
    """Take the lock of an open file; False if another process still holds it after so many seconds.

    A look at the lock by a third process, or the end of a process that was killed, lasts a moment. Where the file
    system has no locks, nobody holds one.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in NO_LOCKS:
                return True
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
