"""Data files: where they lie, and reading them whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from iamm.errors import BadDataError, MissingDataError

LARGEST, LARGEST_TEXT = 1 << 26, 1 << 24
"""Bytes of an unpacked file: the largest published ones have 47 MB (pictures) and 2 MB (texts)."""
PACKED = (".gz", ".xz")
"""How the names of packed files end."""
MOST_LINES, LONGEST_LINE = 100_000, 2_000
"""Of a text, in lines and characters: the published ones have 29,000 and 908."""
NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffd]")
"""Signs that no text has: control characters, a byte order mark, and what stands for bytes that were lost."""
DICTIONARY = 1 << 27
"""Bytes that unpacking xz may take; the strongest common setting takes half of them."""
NO_FILE = (errno.EISDIR, errno.ELOOP, errno.ENXIO)
"""Something is there, but a folder, links in a circle or a socket."""

_noted: ContextVar[dict[str, str] | None] = ContextVar("noted", default=None)


@contextmanager
def noted() -> Iterator[dict[str, str]]:
    """Gather name → SHA-256 of the unpacked content of every file that is read here."""
    files: dict[str, str] = {}
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


def note(name: str, content: str) -> None:
    """Add a file, with the SHA-256 of its unpacked content, to what is gathered."""
    if (files := _noted.get()) is not None:
        files[name] = content


def read_packed(data_dir: str | None, name: str, limit: int = LARGEST) -> bytearray:
    """The unpacked content of `data_dir/name`, a gzip or (by its name) an xz file, which may have `limit` bytes.

    Raises:
        MissingDataError: no such file, or none that may be read.
        BadDataError: no plain file, not packed as its name says, cut short, damaged, too large, or with more behind its
            end.
    """
    content, fault = unpacked(data_dir, name, limit)
    if fault:
        raise BadDataError(f"{name} must be {whole(name)}. Found at byte {len(content) + 1:,}: {fault}.")
    return content


def read_plain(data_dir: str | None, name: str, limit: int) -> bytes:
    """The content of a file that is not packed, which may have `limit` bytes.

    Raises:
        MissingDataError: no such file, or none that may be read.
        BadDataError: no plain file, or too large.
    """
    with opened(data_dir, name) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadDataError(f"{name} must have at most {limit:,} bytes. Found more: get it again.")
    return content


def read_lines(
    data_dir: str | None,
    name: str,
    largest: int = LARGEST_TEXT,
    longest: int = LONGEST_LINE,
    refused: re.Pattern[str] = NO_TEXT,
) -> list[str]:
    r"""The lines of a packed text in UTF-8; `\n` or `\r\n` alone ends one, and none is empty.

    Args:
        largest: bytes that the text may have.
        longest: characters that a line may have.
        refused: what a text cannot hold.

    Raises:
        MissingDataError, BadDataError: as `read_packed`; and what is no text, with its line and column, both from 1 on.
    """
    content, fault = unpacked(data_dir, name, largest)
    if fault:
        last = content[content.rfind(b"\n") + 1 :].decode(errors="replace")
        raise bad_text(name, f"be {whole(name)}", fault, content.count(b"\n") + 1, len(last) + 1)
    lines = content.removesuffix(b"\n").split(b"\n", MOST_LINES)
    if len(lines) > MOST_LINES:
        raise bad_text(name, f"have at most {MOST_LINES:,} lines", "one more", MOST_LINES + 1, 1)
    return [text_of(name, line, number, longest, refused) for number, line in enumerate(lines, start=1)]


def whole(name: str) -> str:
    return f"a whole {'xz' if name.endswith('.xz') else 'gzip'} file"


def text_of(
    name: str, line: bytearray, number: int, longest: int = LONGEST_LINE, refused: re.Pattern[str] = NO_TEXT
) -> str:
    """One line, checked."""
    try:
        text = line.decode().removesuffix("\r")
    except UnicodeDecodeError as error:
        raise bad_text(name, "be UTF-8", error.reason, number, len(line[: error.start].decode()) + 1) from error
    if sign := refused.search(text):
        found = f"U+{ord(sign[0]):04X}"
        raise bad_text(name, "be text, without control characters", found, number, sign.start() + 1)
    if len(text) > longest:
        rule = f"have at most {longest:,} characters in a line"
        raise bad_text(name, rule, f"{len(text):,}", number, longest + 1)
    if not text.strip():
        raise bad_text(name, "have a text in each line", "none", number, 1)
    return text


def bad_text(name: str, rule: str, found: str, line: int, column: int) -> BadDataError:
    """Where a text is not what it must be."""
    return BadDataError(f"{name} must {rule}. Found {found} in line {line:,}, column {column:,}: get it again.")


def unpacked(data_dir: str | None, name: str, limit: int) -> tuple[bytearray, str]:
    """What can be unpacked, and what is wrong with what follows, if anything is."""
    with opened(data_dir, name) as file:
        if os.fstat(file.fileno()).st_size > 2 * limit:
            return bytearray(), f"a file of more than {2 * limit:,} bytes"
        content, fault = unpack_xz(file, limit) if name.endswith(".xz") else unpack(file, limit)
    note(name, hashlib.sha256(content).hexdigest())
    return content, fault


def unpack(file: BinaryIO, limit: int) -> tuple[bytearray, str]:
    """The same for an open file of one gzip member, as all published ones are."""
    content, member = bytearray(), zlib.decompressobj(wbits=31)  # 31: a gzip header, and its checksum at the end
    try:
        while not member.eof and len(content) <= limit and (part := file.read(1 << 13)):
            before = member.copy()
            content += member.decompress(part, limit + 1 - len(content))
        more = member.unused_data or file.read(1)
    except zlib.error as error:
        return content + up_to_fault(before, part), str(error)
    except OSError as error:
        return content, str(error)
    return content, fault_at_end(content, limit, member.eof, bool(more))


def unpack_xz(file: BinaryIO, limit: int) -> tuple[bytearray, str]:
    """The same for an open xz file of one stream."""
    content, member = bytearray(), lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY)
    try:
        while not member.eof and len(content) <= limit and (part := file.read(1 << 13)):
            content += member.decompress(part, limit + 1 - len(content))
        more = member.unused_data or file.read(1)
    except (lzma.LZMAError, OSError) as error:
        return content, str(error)
    return content, fault_at_end(content, limit, member.eof, bool(more))


def fault_at_end(content: bytearray, limit: int, ended: bool, more: bool) -> str:
    """What is wrong with an unpacked content as a whole; empty where nothing is."""
    faults = {
        f"more than {limit:,} bytes, unpacked": len(content) > limit,
        "an early end": not ended,
        "more behind its end": more,
        "nothing in it": not content,
    }
    return next((fault for fault, found in faults.items() if found), "")


def up_to_fault(member: zlib._Decompress, part: bytes) -> bytearray:
    """What can be unpacked of a damaged part, byte by byte."""
    content = bytearray()
    with suppress(zlib.error):
        for index in range(len(part)):
            content += member.decompress(part[index : index + 1])
    return content


def opened(data_dir: str | None, name: str) -> BinaryIO:
    """The file, a plain one: from a pipe or a device there is no end of reading."""
    try:
        file = open(Path(data_dir or "") / name, "rb", opener=without_waiting)  # noqa: SIM115  # handed on, open
    except OSError as error:
        if error.errno in NO_FILE:
            raise BadDataError(f"{name} must be a file. Found: {error.strerror}. Get it again.") from error
        raise MissingDataError(missing(data_dir, name, error)) from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise BadDataError(f"{name} must be a file. Found a pipe or a device: get it again.")
    return file


def without_waiting(path: str, flags: int) -> int:
    """Opening a pipe waits for a writer, unless told not to."""
    return os.open(path, flags | os.O_NONBLOCK)


def missing(data_dir: str | None, name: str, error: OSError) -> str:
    where = f"Looked in {Path(data_dir).absolute()} ({error.strerror})" if data_dir else "`data_dir` is not set"
    told = "set data_dir=… or IAMM_DATA_DIR to the folder that holds it, or get it with iamm-data"
    return f"This data set needs {name}. {where}: {told}."
