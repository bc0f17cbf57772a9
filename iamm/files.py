"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iamm.errors import FullDiskError, OutputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)
ESCAPED = "backslashreplace"
LEFTOVER = ".tmp"
"""How a temporary file's name ends."""


def write_bytes(path: Path, content: bytes | memoryview, *, previous: Path | None = None) -> None:
    """A temporary file in the same folder, flushed to disk, then renamed; the folder flushed too.

    Args:
        path: replaced in one step.
        content: of the whole file.
        previous: where the file that is replaced is kept.

    Raises:
        FullDiskError: there is no room; what was there still is.
        OutputError: the folder cannot be written.
    """
    temporary = path.with_name(path.name + LEFTOVER)
    with writable(path, len(content)):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if previous is not None and path.exists():
                path.replace(previous)
            temporary.replace(path)
            flush(path.parent)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, encoded."""
    write_bytes(path, encoded(text))


def encoded(text: str) -> bytes:
    """UTF-8. A byte of a path that is none, which Python holds as a lone surrogate, becomes the escape that JSON and
    YAML have for it inside quotes."""
    return text.encode(errors=ESCAPED)


def flush(path: Path) -> None:
    """What was written to a file, or renamed in a folder, reaches the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep_leftovers(folder: Path) -> None:
    """Remove what a process that was killed had begun to write."""
    for file in folder.rglob(f"*{LEFTOVER}"):
        file.unlink(missing_ok=True)


@contextmanager
def writable(path: Path, needed: int | None = None, what: str = "A run folder") -> Iterator[None]:
    """What the system says of a disk that takes no more, or of a folder that takes nothing, in a line.

    Args:
        path: of the file that is written, or its folder.
        needed: bytes of the file, where they are known.
        what: is written.

    Raises:
        FullDiskError: there is no room.
        OutputError: it must not be written.
    """
    try:
        yield
    except OSError as error:
        place = path if needed is not None else error.filename or path
        if error.errno in FULL:
            raise FullDiskError(
                f"{what} must have room. Found {place}: {error.strerror}{room(path, needed)}. Make room, then give the "
                "same command again."
            ) from error
        if error.errno in FORBIDDEN:
            raise OutputError(
                f"{what} must be writable. Found {place}: {error.strerror}. Set output_dir=… elsewhere."
            ) from error
        raise


def room(path: Path, needed: int | None) -> str:
    """`; needed 5.2 MB, 1.1 MB are free`, as far as that is known."""
    said = [] if needed is None else [f"needed {needed / 1e6:.3f} MB"]
    with suppress(OSError):
        folder = path if path.is_dir() else path.parent
        said.append(f"{shutil.disk_usage(folder).free / 1e6:.3f} MB are free")
    return "".join(f"; {part}" if number == 0 else f", {part}" for number, part in enumerate(said))
