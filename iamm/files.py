"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iamm.errors import FullDiskError, OutputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENAMETOOLONG, errno.ELOOP),
)
FAILING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.ENXIO, errno.ENODEV, errno.EREMOTEIO)
"""Answers of a device, or of a server of files, that does not do its work."""
NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""Answers of file systems that cannot flush a folder, such as CIFS and FUSE."""
LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Bytes that the systems in use take."""
INSIDE = 270
"""Bytes kept free for the paths of files inside a run folder."""
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
                sync(file.fileno())
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
        sync(handle)
    finally:
        os.close(handle)


def sync(handle: int) -> None:
    """`os.fsync`, as far as the file system can."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """The name or, where it has more bytes than that, its beginning and 8 hex digits of its SHA-256."""
    content = os.fsencode(name)
    if len(content) <= most:
        return name
    return f"{content[: most - 9].decode(errors='ignore')}-{hashlib.sha256(content).hexdigest()[:8]}"


def check_length(folder: Path, what: str = "A run folder") -> None:
    """Raises:
    OutputError: the path of a folder is too long for the files inside it.
    """
    size, longest = len(os.fsencode(folder)), max((len(os.fsencode(part)) for part in folder.parts), default=0)
    if longest > LONGEST_NAME or size > LONGEST_PATH - INSIDE:
        raise OutputError(
            f"{what}'s path must have at most {LONGEST_PATH - INSIDE:,} bytes, and each name in it at most "
            f"{LONGEST_NAME}. Found {str(folder)[:60]}…, of {size:,} bytes, a name of {longest:,} in it. "
            "Set output_dir=… elsewhere."
        )


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
        FullDiskError: there is no room, or the disk fails.
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
        if error.errno in FAILING:
            raise FullDiskError(
                f"{what} must lie on a disk that answers. Found {place}: {error.strerror}. Look at the disk, or set "
                "output_dir=… elsewhere; then give the same command again."
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
