"""Atomic writes: a file is written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from iamm.errors import DamagedRunError, FullDiskError, OutputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT),
)
FAILING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY, errno.ENXIO, errno.ENODEV, errno.EREMOTEIO)
"""Errors of a device, or of a file server, that fails."""
NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems that cannot flush a folder, such as CIFS and FUSE."""
LONGEST_NAME, LONGEST_PATH = 255, 4095
"""Limits in bytes of the common file systems."""
INSIDE = 270
"""Bytes reserved for the paths of files inside a run folder."""
NOT_PLAIN = "a link, a pipe, a device, a folder or a file with a second name"
ESCAPED = "backslashreplace"
LEFTOVER = ".tmp"
"""The suffix of a temporary file."""


def write_bytes(path: Path, content: bytes | memoryview, *, previous: Path | None = None) -> None:
    """Write a temporary file in the same folder, flush it to disk, rename it, and flush the folder.

    Args:
        path: replaced in one step.
        content: of the whole file.
        previous: the path to which the replaced file moves; None: it is overwritten.

    Raises:
        FullDiskError: there is no room; the previous content remains.
        OutputError: the folder cannot be written.
    """
    temporary = path.with_name(path.name + LEFTOVER)
    with writable(path, len(content)):
        try:
            with open(temporary, "wb", opener=plain) as file:
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
    """Write a text as `write_bytes` does, encoded."""
    write_bytes(path, encoded(text))


def plain(path: str, flags: int) -> int:
    """An opener for `open` that follows no link and waits for no pipe: a run folder may be anybody's.

    Raises:
        OSError: the path is no regular file or, to be written, one that also has a name elsewhere.
    """
    try:
        handle = os.open(path, flags & ~os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise OSError(errno.ELOOP, NOT_PLAIN, path) from error
        raise
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or (flags & (os.O_WRONLY | os.O_RDWR) and status.st_nlink > 1):
        os.close(handle)
        raise OSError(errno.ELOOP, NOT_PLAIN, path)
    if flags & os.O_TRUNC:
        os.ftruncate(handle, 0)
    return handle


def read_file(path: Path) -> bytes:
    """The content of a file of a run.

    Raises:
        FileNotFoundError: there is none.
        DamagedRunError: it is not plain, or cannot be read.
    """
    try:
        with open(path, "rb", opener=plain) as file:
            return file.read()
    except FileNotFoundError:
        raise
    except (OSError, MemoryError) as error:
        raise DamagedRunError(
            f"A run's files must be plain and readable. Found {path}: {getattr(error, 'strerror', 'too large')}. "
            "Put it right, then give the same command again."
        ) from error


def require_no_link(folder: Path) -> None:
    """Raises:
    DamagedRunError: the folder is a link.
    """
    if os.path.islink(folder):
        raise DamagedRunError(f"A run folder must be a plain one. Found {folder}, a link: name the folder itself.")


def require_plain(file: Path) -> None:
    """Raises:
    DamagedRunError: the path is something else than a regular file.
    """
    if file.is_symlink() or not file.is_file():
        raise DamagedRunError(f"A run's files must be plain. Found {file}: {NOT_PLAIN}. Put it right or remove it.")


def make_folder(path: Path) -> None:
    """Make a folder and those above it, and flush their names to disk."""
    if not os.path.isdir(path):
        if os.path.exists(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        with suppress(PermissionError):  # a folder that can be entered, but not listed
            flush(path.parent)


def encoded(text: str) -> bytes:
    """Encode as UTF-8. A byte of a path that is no UTF-8, which Python holds as a lone surrogate, becomes the escape
    that JSON and YAML have for it inside quotes."""
    return text.encode(errors=ESCAPED)


def flush(path: Path) -> None:
    """Flush to disk what was written to a file, or renamed in a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync(handle: int) -> None:
    """Call `os.fsync`; do nothing where the file system does not support it."""
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


@contextmanager
def writable(path: Path, needed: int | None = None, what: str = "A run folder") -> Iterator[None]:
    """Turn the system's errors on a full or failing disk, or a forbidden folder, into one line.

    Args:
        path: the file that is written, or its folder.
        needed: size of the file in bytes, where it is known.
        what: the name of what is written, for the message.

    Raises:
        FullDiskError: there is no room, or the disk fails.
        OutputError: writing is not permitted.
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
    """Give `; needed 5.2 MB, 1.1 MB are free`, as far as these are known."""
    parts = [] if needed is None else [f"needed {needed / 1e6:.3f} MB"]
    with suppress(OSError):
        folder = path if path.is_dir() else path.parent
        parts.append(f"{shutil.disk_usage(folder).free / 1e6:.3f} MB are free")
    return "".join(f"; {part}" if number == 0 else f", {part}" for number, part in enumerate(parts))
