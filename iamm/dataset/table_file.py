"""Rows of a user's file, with their line numbers: CSV, TSV, JSON lines and labelled lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

from iamm.constraints import OneOf
from iamm.dataset.cache import sha256_of
from iamm.dataset.files import PACKED, opened, read_packed, record_file
from iamm.errors import BadDataError, MissingDataError, nearest

Format = Annotated[str, OneOf(("csv", "tsv", "jsonl", "labelled", "fasttext"))]
ENDINGS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
DELIMITERS = ",;\t|"
MARK = "__label__"
"""The prefix of a label in fastText's format."""
LONGEST = 131_072
"""The limit of a line and of a field in characters, which is that of the csv module."""
NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Control characters, which no text has."""
LOST = re.compile("[\udc80-\udcff]")
"""The placeholder for a byte that the encoding cannot decode."""


class Row(NamedTuple):
    """Values by column, and the line on which they begin, from 1 on."""

    line: int
    values: Mapping[str, str]


def read_rows(path: str, *, format: str | None, delimiter: str | None, encoding: str) -> Iterator[Row]:
    """Read the rows of a file.

    Args:
        path: path of the file, which may be packed with gzip or xz.
        format: one of `Format`; None = by the name's ending or, where it is unknown, by the first line. The columns
            of `labelled` (`label<TAB>text`) and `fasttext` (`__label__x text`) are called label and text.
        delimiter: the delimiter of a CSV; None = the most frequent of `DELIMITERS` in its first line.
        encoding: the encoding of the text; UTF-8 may begin with a byte order mark.

    Raises:
        MissingDataError, BadDataError: no such file, or a malformed line.
        ValueError: an unknown encoding, or no delimiter.
    """
    lines = text_lines(path, encoding)
    format = format or ENDINGS.get(ending(path))
    first = next(lines, "")
    lines = chain([first], lines)
    format = format or ("fasttext" if first.startswith(MARK) else "labelled")
    delimiter = delimiter or max(DELIMITERS, key=first.count)
    return with_header(path, csv_fields(path, lines, delimiter)) if format == "csv" else READERS[format](path, lines)


def value_of(path: str, row: Row, key: str, column: str) -> str:
    """Give the value of a column, without surrounding blanks.

    Raises:
        BadDataError: the row has no such column.
    """
    if column not in row.values:
        raise BadDataError(
            f"{path} must have the column that `{key}` names. Found no {column} in line {row.line:,}. "
            f"{nearest(column, row.values)}"
        )
    return row.values[column].strip()


def bad_row(path: str, rule: str, found: str, line: int) -> BadDataError:
    """Make the error on a malformed line of a user's file."""
    return BadDataError(f"{path} must {rule}. Found {found} in line {line:,}: mend it there.")


def ending(path: str) -> str:
    """Give the file name's ending in lower case, without that of its packing."""
    name = Path(path)
    return (name.with_suffix("") if name.suffix in PACKED else name).suffix.lower()


def own_file(path: str) -> BinaryIO:
    """Open a user's file, and record its SHA-256.

    Raises:
        MissingDataError: it does not exist.
        BadDataError: it is not a file, or cannot be unpacked.
    """
    try:
        file = opened(None, path)
    except MissingDataError as error:
        reason = getattr(error.__cause__, "strerror", "")
        raise MissingDataError(
            f"A path must name a file. Found no {path} in {Path().absolute()} ({reason}): write it as seen from here."
        ) from error
    if Path(path).suffix in PACKED:
        with file:
            return io.BytesIO(read_packed(None, path))
    record_file(path, sha256_of(file))
    file.seek(0)
    return file


def text_lines(path: str, encoding: str, newline: str = "") -> Iterator[str]:
    r"""Yield the lines of a text, with their ends (`\n`, `\r\n` or `\r`; or `newline` alone), after checking each."""
    name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    with own_file(path) as file:
        try:
            text = io.TextIOWrapper(file, name, errors="surrogateescape", newline=newline)
        except LookupError as error:
            raise ValueError(f"`encoding` must be one that Python knows. Found {encoding}: try cp1252.") from error
        for number in count(1):
            try:
                line = text.readline(LONGEST + 1)
            except UnicodeError as error:
                raise wrong_encoding(path, encoding, getattr(error, "reason", str(error)), number) from error
            if not line:
                return
            check_line(path, encoding, line, number)
            yield line


def check_line(path: str, encoding: str, line: str, number: int) -> None:
    if lost := LOST.search(line):
        raise wrong_encoding(path, encoding, f"byte 0x{ord(lost[0]) - 0xDC00:02X}", number)
    if sign := NO_TEXT.search(line):
        raise bad_row(path, "be text, without control characters", f"U+{ord(sign[0]):04X}", number)
    if len(line) > LONGEST:
        raise bad_row(path, f"have at most {LONGEST:,} characters in a line", "more", number)


def wrong_encoding(path: str, encoding: str, found: str, line: int) -> BadDataError:
    return BadDataError(
        f"{path} must be {encoding}. Found {found} in line {line:,}: save it as UTF-8, or name what it is, such as "
        "encoding=cp1252."
    )


def csv_fields(path: str, lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's first line and fields; quoted fields may hold the delimiter, quotes and new lines."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"`delimiter` must be one sign, and no quote. Found {delimiter!r}: give another.")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            rule = f"have {delimiter!r} between fields, and a quote doubled in quotes"
            raise bad_row(path, rule, str(error), line) from error
        if fields:
            yield line, fields


def tsv_fields(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row's line and fields, which are separated by tabs and hold no tab or new line."""
    for number, line in enumerate(lines, start=1):
        if text := line.rstrip("\r\n"):
            yield number, text.split("\t")


def with_header(path: str, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    """Yield rows by the columns that the first row names."""
    _, header = next(rows, (1, []))
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise bad_row(path, "name each column once", f"{twice} twice", 1)
    for line, fields in rows:
        if len(fields) != len(header):
            rule = f"have {len(header)} fields in each row, as in the first ({', '.join(header)[:80]})"
            raise bad_row(path, rule, f"{len(fields)}", line)
        yield Row(line, dict(zip(header, fields, strict=True)))


def json_rows(path: str, lines: Iterable[str]) -> Iterator[Row]:
    """Yield rows from objects of plain values, one per line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            values = {key: plain(value) for key, value in record.items()}
            "".join(values.values()).encode()
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            rule = "have an object of JSON with plain values in each line"
            raise bad_row(path, rule, repr(line[:20]), number) from error
        yield Row(number, values)


def plain(value: Any) -> str:
    """Give a text; a number, true or false as text; null as an empty text."""
    if isinstance(value, (dict, list)):
        raise TypeError(value)
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def labelled_rows(path: str, lines: Iterable[str], separator: str = "\t", mark: str = "") -> Iterator[Row]:
    """Yield rows from lines of a label and a text."""
    for number, line in enumerate(lines, start=1):
        label, gap, text = line.rstrip("\r\n").partition(separator)
        if line.strip() and not (gap and label.startswith(mark)):
            rule = f"have a label and a {'tab' if separator == chr(9) else 'blank'} before each text"
            raise bad_row(path, rule, repr(line[:20]), number)
        if line.strip():
            yield Row(number, {"label": label.removeprefix(mark), "text": text})


READERS: Mapping[str, Callable[[str, Iterator[str]], Iterator[Row]]] = {
    "tsv": lambda path, lines: with_header(path, tsv_fields(lines)),
    "jsonl": json_rows,
    "labelled": labelled_rows,
    "fasttext": lambda path, lines: labelled_rows(path, lines, " ", MARK),
}
