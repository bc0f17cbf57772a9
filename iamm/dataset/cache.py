"""A cache of unpacked files that take seconds to unpack."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from iamm.dataset.files import LARGEST, PACKED, opened, read_packed, record_file, unpacked
from iamm.errors import FullDiskError, MissingDataError, OutputError
from iamm.files import write_bytes

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
"""How the names of pictures end, in lower case."""
SUM = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """`IAMM_CACHE_DIR`, or the user's cache folder."""
    chosen = os.environ.get("IAMM_CACHE_DIR")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "iamm")


def read_once(data_dir: str | None, name: str, limit: int) -> bytes | bytearray:
    """The content of a packed file as by `read_packed`, stored unpacked in the cache after its SHA-256.

    An entry is named by the SHA-256 of the packed file. A damaged entry is replaced; a cache that cannot be written is
    not used.
    """
    with opened(data_dir, name) as file:
        small = os.fstat(file.fileno()).st_size <= 2 * limit
        path = cache_folder() / sha256_of(file) if small else None
    if path and (cached := entry(path, limit)) is not None:
        record_file(name, hashlib.sha256(cached).hexdigest())
        return cached
    content = read_packed(data_dir, name, limit)
    if path:
        store(path, content)
    return content


def checksum(data_dir: str | None, name: str) -> str | None:
    """SHA-256 of the unpacked content of a file, or of all pictures in a folder; None if there is no file.

    Raises:
        BadDataError: it is not a regular file.
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
    """SHA-256 of the unpacked content of a file in this state, computed once a process, from the cache if possible."""
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
    """The content of a cache entry; None if it is missing or damaged."""
    try:
        with path.open("rb") as file:
            checksum, content = file.read(SUM), file.read(limit + 1)
    except OSError:
        return None
    return content if hashlib.sha256(content).digest() == checksum else None


def store(path: Path, content: bytes | bytearray) -> None:
    """Write a cache entry; an error of the disk is ignored."""
    with suppress(FullDiskError, OutputError, OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, hashlib.sha256(content).digest() + content)
