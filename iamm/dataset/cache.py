"""What takes seconds to unpack is unpacked once."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from iamm.dataset.files import LARGEST, PACKED, note, opened, read_packed, unpacked
from iamm.errors import FullDiskError, MissingDataError, OutputError
from iamm.files import write_bytes

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
"""How the names of pictures end, in lower case."""
SUM = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """`IAMM_CACHE_DIR`, or the user's folder for such things."""
    own = os.environ.get("IAMM_CACHE_DIR")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "iamm")


def read_once(data_dir: str | None, name: str, limit: int) -> bytes | bytearray:
    """The content of a packed file, as `read_packed` gives it; kept unpacked in the cache, behind its SHA-256.

    An entry is named by the packed file's own SHA-256: another file has another entry. One that is damaged is replaced,
    and a cache that cannot be written is done without.
    """
    with opened(data_dir, name) as file:
        small = os.fstat(file.fileno()).st_size <= 2 * limit
        path = cache_folder() / sha256_of(file) if small else None
    if path and (kept := entry(path, limit)) is not None:
        note(name, hashlib.sha256(kept).hexdigest())
        return kept
    content = read_packed(data_dir, name, limit)
    if path:
        keep(path, content)
    return content


def checksum(data_dir: str | None, name: str) -> str | None:
    """SHA-256 of the unpacked content, however it is packed, or of all pictures in a folder; None where there is no
    file to read.

    Raises:
        BadDataError: no plain file.
    """
    if Path(data_dir or "", name).is_dir():
        return folder_checksum(str(Path(data_dir or "", name)))
    try:
        with opened(data_dir, name) as file:
            status = os.fstat(file.fileno())
    except MissingDataError:
        return None
    return content_checksum(data_dir, name, (status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=1000)
def content_checksum(data_dir: str | None, name: str, state: tuple[int, ...]) -> str:
    """The same of a file in this state, read once however many runs were made with it, and unpacked only where the
    cache does not hold it."""
    with opened(data_dir, name) as file:
        packed = sha256_of(file)
    if not name.endswith(PACKED):
        return packed
    content = entry(cache_folder() / packed, LARGEST)
    return hashlib.sha256(unpacked(data_dir, name, LARGEST)[0] if content is None else content).hexdigest()


def folder_checksum(path: str) -> str:
    """SHA-256 over names and contents of all pictures in a folder, at any depth."""
    files = sorted(file for file in Path(path).rglob("*") if is_picture(file) and file.is_file())
    return pictures_checksum(path, tuple((file, file.stat().st_size, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=20)
def pictures_checksum(path: str, files: tuple[tuple[Path, int, int], ...]) -> str:
    """The same of files in this state, read once."""
    digest = hashlib.sha256()
    for file, *_ in files:
        with opened(None, str(file)) as content:
            digest.update(f"{file.relative_to(path)} {sha256_of(content)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def is_picture(file: Path) -> bool:
    """Whether a file is one of pictures, by its name."""
    return file.suffix.lower() in PICTURES and not file.name.startswith(".")


def sha256_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def entry(path: Path, limit: int) -> bytes | None:
    """What is kept there, or None where that is nothing or not what was written."""
    try:
        with path.open("rb") as file:
            checksum, content = file.read(SUM), file.read(limit + 1)
    except OSError:
        return None
    return content if hashlib.sha256(content).digest() == checksum else None


def keep(path: Path, content: bytes | bytearray) -> None:
    with suppress(FullDiskError, OutputError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, hashlib.sha256(content).digest() + content)
