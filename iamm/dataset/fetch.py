"""Download of the published files of data sets, with verification."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple
from urllib import request
from urllib.error import HTTPError
from urllib.parse import urlsplit

from iamm.dataset.files import read_packed, unpack
from iamm.errors import BadDataError, BusyError, FullDiskError, MissingDataError, OutputError, UnreachableError
from iamm.files import FULL, flush, sync
from iamm.lock import locked

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each repeated request."""
PATIENCE = 30.0
"""Seconds to wait for an answer."""


SLOWEST = 1000.0
"""Bytes a second that an answer must have on average."""


class Source(NamedTuple):
    """A published file.

    Args:
        name: of the file below `data_dir`, which is packed with gzip.
        url: where it is published, packed or not.
        size: of the unpacked content, in bytes.
        sha256: of the unpacked content, since packing it anew changes the file, but not the data.
    """

    name: str
    url: str
    size: int
    sha256: str


def state(data_dir: str, source: Source) -> str:
    """The state of a file: there, missing, or not as published."""
    try:
        content = read_packed(data_dir, source.name, source.size)
    except MissingDataError:
        return "missing"
    except BadDataError:
        return "not as published"
    return "not as published" if difference(content, source) else "there"


def fetch(data_dir: str, source: Source) -> None:
    """Download a file to `data_dir`.

    The download is written to `<name>.part`, where it can be resumed, and renamed when size and SHA-256 are right.

    Raises:
        BadDataError: the content is not the published one; it is removed.
        UnreachableError: no answer; the received part remains.
        FullDiskError, OutputError: it cannot be written; the received part remains.
        BusyError: another process downloads it.
    """
    path = Path(data_dir, source.name)
    part = path.with_name(f"{path.name}.part")
    with growing(part) as file:
        resumed = os.fstat(file.fileno()).st_size > 0
        download(source, part, file)
        if resumed and fault_of(file, source):  # the earlier part was wrong
            file.truncate(0)
            download(source, part, file)
        if fault := fault_of(file, source):
            part.unlink()
            raise BadDataError(f"{source.url} must be what was published. Found {fault}: nothing was kept.")
        with disk(part):
            if not is_packed(source.url):
                pack(file)
            sync(file.fileno())
            part.replace(path)
            flush(path.parent)


def download(source: Source, part: Path, file: BinaryIO) -> None:
    """Repeat the request until the download is complete, each time from the end of the last answer."""
    for pause in (*PAUSES, None):
        try:
            return receive(source, part, file)
        except (OSError, HTTPException) as error:
            if isinstance(error, HTTPError):
                error.close()
            if pause is None or (isinstance(error, HTTPError) and error.code < 500 and error.code != 429):
                reason = " ".join(str(error).split()) or type(error).__name__
                raise UnreachableError(
                    f"A server must answer. Found at {source.url}: {reason}. Give the same command again later."
                ) from error
            time.sleep(pause)


def receive(source: Source, part: Path, file: BinaryIO) -> None:
    """Append one answer to the file; raise OSError if it ends early."""
    most = source.size + source.size // 1000 + 1024  # incompressible data grow by less
    start = os.fstat(file.fileno()).st_size
    try:
        answer = ask(source.url, start)
    except HTTPError as error:
        if error.code == 416 and start:  # the file is complete
            return error.close()
        raise
    with answer:
        if start and answer.status != 206:
            file.truncate(0)
            start = 0
        if start and not re.match(rf"bytes {start}-", answer.headers.get("Content-Range", "")):
            file.truncate(0)
            raise ConnectionError("not the part that was asked for")
        expected = answer.length
        received, began = 0, time.monotonic()
        while chunk := answer.read1(1 << 16):
            received += len(chunk)
            seconds = time.monotonic() - began
            if seconds > PATIENCE and received < SLOWEST * seconds:
                raise ConnectionError(f"no more than {received:,} bytes in {seconds:.0f} s")
            if start + received > most:
                part.unlink()
                raise BadDataError(f"{source.url} must have at most {most:,} bytes. Found more: nothing was kept.")
            with disk(part, source.size):
                file.write(chunk)
                file.flush()
    if expected is not None and received < expected:
        raise ConnectionError(f"the connection ended after {start + received:,} of {start + expected:,} bytes")


def ask(url: str, start: int) -> HTTPResponse:
    """Request the content from byte `start` on."""
    opener = request.OpenerDirector()
    for handler in (
        *(request.ProxyHandler(), request.HTTPHandler(), request.HTTPSHandler(), request.UnknownHandler()),
        *(request.HTTPDefaultErrorHandler(), request.HTTPErrorProcessor(), Redirects()),
    ):
        opener.add_handler(handler)
    headers = {"User-Agent": "iamm-data", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    return opener.open(request.Request(url, headers=headers), timeout=PATIENCE)


class Redirects(request.HTTPRedirectHandler):
    """Redirects to the same protocol or to https only."""

    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> request.Request | None:
        if urlsplit(newurl).scheme not in ("https", urlsplit(req.full_url).scheme):
            raise HTTPError(req.full_url, code, f"sent on to {newurl}, by a protocol that is not safe", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fault_of(file: BinaryIO, source: Source) -> str:
    """The fault of a downloaded file, or an empty text."""
    file.seek(0)
    content, fault = unpack(file, source.size) if is_packed(source.url) else (file.read(source.size + 1), "")
    return fault or difference(content, source)


def difference(content: bytes | bytearray, source: Source) -> str:
    """The difference of an unpacked content from the published one, or an empty text."""
    if len(content) != source.size:
        return f"{len(content):,} bytes instead of {source.size:,}"
    actual = hashlib.sha256(content).hexdigest()
    return "" if actual == source.sha256 else f"SHA-256 {actual} instead of {source.sha256}"


def is_packed(name: str) -> bool:
    return name.endswith(".gz")


def pack(file: BinaryIO) -> None:
    """Compress a file that was published without compression."""
    file.seek(0)
    packed = gzip.compress(file.read(), mtime=0)
    file.truncate(0)
    file.write(packed)
    file.flush()


@contextmanager
def growing(part: Path) -> Iterator[BinaryIO]:
    """Open and lock the partial file."""
    with disk(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        file = open(part, "a+b", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, 0o666))  # noqa: SIM115
    with file:
        try:
            owned = locked(file, patience=0.0) and os.path.samestat(
                os.fstat(file.fileno()), part.stat()
            )  # not what another has just finished
        except FileNotFoundError:
            owned = False
        if not owned:
            raise BusyError(f"A file is downloaded once. Found another process at {part}: wait until it is done.")
        yield file


@contextmanager
def disk(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn errors of a full disk or an unwritable folder into our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            size = "" if needed is None else f", for a file of up to {needed / 1e6:.1f} MB"
            raise FullDiskError(
                f"A data folder must have room. Found {path}: {error.strerror}{size}. Make room, then give the same "
                "command again."
            ) from error
        reason = "a link" if error.errno == errno.ELOOP else error.strerror
        raise OutputError(
            f"A data folder must be writable. Found {path}: {reason}. Set data_dir=… elsewhere."
        ) from error
