"""Input files → their pictures or texts, one after the other."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from iamm.errors import BadDataError, ConfigError, MissingDataError, nearest
from iamm.serve.picture import SUFFIXES

LONGEST = 1 << 20
"""Bytes that a line, or a field of a table, may have."""
TABLES = {".csv": ",", ".tsv": "\t"}


class Row(NamedTuple):
    """An input, its name in the answers, and its location, for error messages."""

    name: str
    value: Any
    location: str


def picture_rows(path: Path) -> Iterator[Row]:
    """One picture, or all below a folder, in the order of their names.

    Raises:
        MissingDataError: nothing there, or no picture in the folder.
    """
    if not path.is_dir():
        require_there(path)
        yield Row(path.name, path, str(path))
        return
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise MissingDataError(f"`input` must hold pictures ({', '.join(SUFFIXES)}). Found none below {path}.")
    yield from (Row(file.relative_to(path).as_posix(), file, str(file)) for file in files)


def text_rows(path: Path, column: str) -> Iterator[Row]:
    """The texts of a file: rows of a .csv or .tsv with a header, objects of a .jsonl, else lines.

    Args:
        path: of the file.
        column: that holds the text, or the key of the objects.

    Raises:
        MissingDataError: no such file.
        BadDataError: what is no text, by its line.
        ConfigError: a table without that column.
    """
    require_there(path)
    if path.is_dir():
        raise ConfigError(f"`input` must be a file where a scene reads texts. Found the folder {path}: name a file.")
    if path.suffix in TABLES:
        texts = table_texts(path, column)
    elif path.suffix == ".jsonl":
        texts = ((number, object_text(path, number, line, column)) for number, line in lines(path))
    else:
        texts = lines(path)
    for number, text in texts:
        yield Row(str(number), text, f"{path}, line {number:,}")


def require_there(path: Path) -> None:
    if not path.exists():
        raise MissingDataError(f"`input` must be there. Found no {path}: name another file or folder.")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of UTF-8 with their numbers, without their ends; a byte order mark before the first is left out."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), start=1):
                yield number, decoded(path, number, line)
    except OSError as error:
        raise MissingDataError(f"`input` must be readable. Found {path}: {error.strerror}: name another.") from error


def decoded(path: Path, number: int, line: bytes) -> str:
    if len(line) > LONGEST:
        raise bad_line(path, number, f"have at most {LONGEST:,} bytes in a line", "more")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise bad_line(path, number, "be UTF-8", f"{error.reason} at byte {error.start + 1:,}") from error
    return text.removesuffix("\n").removesuffix("\r")


def table_texts(path: Path, column: str) -> Iterator[tuple[int, str]]:
    """One column of a table with a header; quoted fields may hold line breaks."""
    csv.field_size_limit(LONGEST)
    reader = csv.reader((f"{line}\n" for _, line in lines(path)), delimiter=TABLES[path.suffix], strict=True)
    try:
        header = next(reader, [])
        if column not in header:
            raise ConfigError(f"`column` must be one of {path}. Found {column}. {nearest(column, header)}")
        yield from column_of(path, reader, header.index(column), len(header))
    except csv.Error as error:
        raise bad_line(path, reader.line_num, "be a table of CSV", str(error)) from error


def column_of(path: Path, reader: Any, place: int, width: int) -> Iterator[tuple[int, str]]:
    for row in reader:
        if len(row) != width:
            raise bad_line(path, reader.line_num, f"have {width} fields in each row", str(len(row)))
        yield reader.line_num, row[place]


def object_text(path: Path, number: int, line: str, key: str) -> str:
    try:
        text = json.loads(line)[key]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise bad_line(path, number, f"have a JSON object with `{key}` in each line", repr(line[:40])) from error
    if not isinstance(text, str):
        raise bad_line(path, number, f"have a string under `{key}`", type(text).__name__)
    return text


def bad_line(path: Path, number: int, rule: str, found: str) -> BadDataError:
    return BadDataError(f"{path} must {rule}. Found {found} in line {number:,}: mend it, or leave it out.")


def batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """`size` rows at a time."""
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
