"""Reading of data files, with a check that they are complete."""

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
"""Limits of a text, in lines and characters: the published ones have 29,000 and 908."""
NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffd]")
"""Characters that no text has: control characters, a byte order mark, and the replacement character."""
DICTIONARY = 1 << 27
"""Bytes that unpacking xz may take; the strongest common setting takes half of them."""
NO_FILE = (errno.EISDIR, errno.ELOOP, errno.ENXIO)
"""Errors for a folder, circular links or a socket."""

_recorded: ContextVar[dict[str, str] | None] = ContextVar("recorded", default=None)


@contextmanager
def recorded_files() -> Iterator[dict[str, str]]:
    """Collect name → SHA-256 of the unpacked content of every file read in this context."""
    files: dict[str, str] = {}
    token = _recorded.set(files)
    try:
        yield files
    finally:
        _recorded.reset(token)


def record_file(name: str, content: str) -> None:
    """Add a file, with the SHA-256 of its unpacked content, to the collected ones."""
    if (files := _recorded.get()) is not None:
        files[name] = content


def read_packed(data_dir: str | None, name: str, limit: int = LARGEST) -> bytearray:
    """The unpacked content of `data_dir/name`, a gzip or (by its name) an xz file, with at most `limit` bytes.

    Raises:
        MissingDataError: the file does not exist, or may not be read.
        BadDataError: the file is not regular, not packed as its name says, cut short, damaged, too large, or has bytes
            after its end.
    """
    content, fault = unpacked(data_dir, name, limit)
    if fault:
        raise BadDataError(f"{name} must be {complete(name)}. Found at byte {len(content) + 1:,}: {fault}.")
    return content


def read_plain(data_dir: str | None, name: str, limit: int) -> bytes:
    """The content of a file that is not packed, with at most `limit` bytes.

    Raises:
        MissingDataError: the file does not exist, or may not be read.
        BadDataError: the file is not regular, or too large.
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
    r"""The lines of a packed text in UTF-8; each ends with `\n` or `\r\n`, and none is empty.

    Args:
        largest: limit of the text, in bytes.
        longest: limit of a line, in characters.
        refused: pattern of forbidden characters.

    Raises:
        MissingDataError, BadDataError: as `read_packed`; and for a forbidden text, with line and column from 1.
    """
    content, fault = unpacked(data_dir, name, largest)
    if fault:
        last = content[content.rfind(b"\n") + 1 :].decode(errors="replace")
        raise bad_text(name, f"be {complete(name)}", fault, content.count(b"\n") + 1, len(last) + 1)
    lines = content.removesuffix(b"\n").split(b"\n", MOST_LINES)
    if len(lines) > MOST_LINES:
        raise bad_text(name, f"have at most {MOST_LINES:,} lines", "one more", MOST_LINES + 1, 1)
    return [text_of(name, line, number, longest, refused) for number, line in enumerate(lines, start=1)]


def complete(name: str) -> str:
    return f"a whole {'xz' if name.endswith('.xz') else 'gzip'} file"


def text_of(
    name: str, line: bytearray, number: int, longest: int = LONGEST_LINE, refused: re.Pattern[str] = NO_TEXT
) -> str:
    """Decode and check one line."""
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
    """The error for a text that breaks a rule, with its position."""
    return BadDataError(f"{name} must {rule}. Found {found} in line {line:,}, column {column:,}: get it again.")


def unpacked(data_dir: str | None, name: str, limit: int) -> tuple[bytearray, str]:
    """The part of a file that can be unpacked, and the fault that follows it, or an empty text."""
    with opened(data_dir, name) as file:
        if os.fstat(file.fileno()).st_size > 2 * limit:
            return bytearray(), f"a file of more than {2 * limit:,} bytes"
        content, fault = unpack_xz(file, limit) if name.endswith(".xz") else unpack(file, limit)
    record_file(name, hashlib.sha256(content).hexdigest())
    return content, fault


def unpack(file: BinaryIO, limit: int) -> tuple[bytearray, str]:
    """Unpack an open file of one gzip member, as all published ones are."""
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
    """Unpack an open xz file of one stream."""
    content, member = bytearray(), lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DICTIONARY)
    try:
        while not member.eof and len(content) <= limit and (part := file.read(1 << 13)):
            content += member.decompress(part, limit + 1 - len(content))
        more = member.unused_data or file.read(1)
    except (lzma.LZMAError, OSError) as error:
        return content, str(error)
    return content, fault_at_end(content, limit, member.eof, bool(more))


def fault_at_end(content: bytearray, limit: int, ended: bool, more: bool) -> str:
    """The fault of an unpacked content, or an empty text."""
    faults = {
        f"more than {limit:,} bytes, unpacked": len(content) > limit,
        "an early end": not ended,
        "more behind its end": more,
        "nothing in it": not content,
    }
    return next((fault for fault, present in faults.items() if present), "")


def up_to_fault(member: zlib._Decompress, part: bytes) -> bytearray:
    """The part of damaged bytes that can be unpacked, byte by byte."""
    content = bytearray()
    with suppress(zlib.error):
        for index in range(len(part)):
            content += member.decompress(part[index : index + 1])
    return content


def opened(data_dir: str | None, name: str) -> BinaryIO:
    """Open a regular file; reading a pipe or a device would not end."""
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
    """Open without waiting for the writer of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def missing(data_dir: str | None, name: str, error: OSError) -> str:
    """The message for a file that does not exist."""
    where = f"Looked in {Path(data_dir).absolute()} ({error.strerror})" if data_dir else "`data_dir` is not set"
    action = "set data_dir=… or IAMM_DATA_DIR to the folder that holds it, or get it with iamm-data"
    return f"This data set needs {name}. {where}: {action}."
