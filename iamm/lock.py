"""Locks that let one process at a time use a folder or file."""

from __future__ import annotations

import errno
import fcntl
import time
from typing import IO, Any

NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""Errors of file systems that have no locks, such as some mounts of Lustre and NFS."""


def locked(lock: IO[Any], kind: int = fcntl.LOCK_EX, patience: float = 2.0) -> bool:
    """Take the lock of an open file; return False if another process still holds it after `patience` seconds.

    The wait covers a process that tests the lock, or one that was killed and is about to end. Where the file system
    has no locks, the call succeeds.
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
