"""Iteration over the pictures, texts or records in input files."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from iamm.dataset.cache import is_picture
from iamm.dataset.table_file import ENDINGS, bad_row, ending, read_rows, text_lines, value_of
from iamm.errors import ConfigError, MissingDataError

Input = TypeVar("Input")


class Row(NamedTuple):
    """An input, its name in the answers, and its location, for error messages."""

    name: str
    value: Any
    location: str


def picture_rows(path: Path) -> Iterator[Row]:
    """Yield one picture, or all below a folder, in the order of their names.

    Raises:
        MissingDataError: the folder has no picture.
    """
    if not path.is_dir():
        yield Row(path.name, path, str(path))
        return
    files = sorted(file for file in path.rglob("*") if is_picture(file))
    if not files:
        raise MissingDataError(f"`input` must hold pictures (PNG, JPEG, WebP). Found none below {path}: name another.")
    yield from (Row(file.relative_to(path).as_posix(), file, str(file)) for file in files)


def require_encoding(encoding: str) -> None:
    """Raises:
    ConfigError: Python does not know the encoding.
    """
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise ConfigError(f"`encoding` must be one that Python knows. Found {encoding}: try cp1252.") from error


def text_rows(path: Path, column: str, encoding: str) -> Iterator[Row]:
    """Yield the texts of a file: a column of a table or of JSON lines, by the file's ending; else its lines.

    Args:
        path: path of the file.
        column: the column that holds the text.
        encoding: encoding of the file.

    Raises:
        MissingDataError, BadDataError: no such file; a malformed line.
        ConfigError: the path is a folder.
    """
    if path.is_dir():
        raise ConfigError(f"`input` must be a file where a scene reads texts. Found the folder {path}: name a file.")
    texts = column_texts(str(path), column, encoding) if ending(str(path)) in ENDINGS else lines(str(path), encoding)
    for line, text in texts:
        yield Row(str(line), text, f"{path}, line {line:,}")


def column_texts(path: str, column: str, encoding: str) -> Iterator[tuple[int, str]]:
    for row in read_rows(path, format=None, delimiter=None, encoding=encoding):
        yield row.line, value_of(path, row, "column", column)


def lines(path: str, encoding: str) -> Iterator[tuple[int, str]]:
    return enumerate(text_lines(path, encoding), start=1)


def record_rows(path: Path, encoding: str) -> Iterator[Row]:
    """Yield objects of JSON, one per line.

    Raises:
        MissingDataError, BadDataError: no such file; a line that is no object.
    """
    for line, text in lines(str(path), encoding):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise bad_row(str(path), "have an object of JSON in each line", repr(text[:20]), line) from error
        yield Row(str(line), value, f"{path}, line {line:,}")


def batches(inputs: Iterable[Input], size: int) -> Iterator[list[Input]]:
    """Yield the inputs in lists of `size`."""
    remaining = iter(inputs)
    while batch := list(islice(remaining, size)):
        yield batch
