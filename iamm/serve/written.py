"""Writers of answers: to a file that appears when it is complete, or to the terminal."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from iamm.errors import ConfigError, OutputError
from iamm.files import ESCAPED, LEFTOVER, flush, sync, writable
from iamm.output import spreadsheet

STANDARD = "-"


Writer = Callable[[Mapping[str, Any]], None]
"""A function that writes one answer."""


def require_place(output: str, input: str) -> None:
    """Raises:
    ConfigError: the output is neither `-` nor a name with a known ending, or is the input.
    OutputError: its folder does not exist.
    """
    if output == STANDARD:
        return
    if Path(output).suffix not in FORMS:
        raise ConfigError(f"`output` must end with {' or '.join(FORMS)}, or be -. Found {output}: name another.")
    if not Path(output).parent.is_dir():
        raise OutputError(f"`output` must lie in a folder that is there. Found no {Path(output).parent}: make it.")
    if Path(output).resolve() == Path(input).resolve():
        raise ConfigError(f"`output` must be another file than `input`. Found {output} twice: name another.")


@contextmanager
def answers_to(output: str) -> Iterator[Writer]:
    """Open a writer of answers. A file is replaced only when all answers have been written.

    Args:
        output: path with the ending .csv or .jsonl; `-` for lines of JSON on the terminal.
    """
    if output == STANDARD:
        yield JsonLines(sys.stdout)
        sys.stdout.flush()
        return
    path = Path(output)
    temporary = path.with_name(path.name + LEFTOVER)
    with writable(path, what="A file of answers"):
        try:
            with temporary.open("w", encoding="utf-8", errors=ESCAPED, newline="") as file:
                yield FORMS[path.suffix](file)
                file.flush()
                sync(file.fileno())
            temporary.replace(path)
            flush(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise


class JsonLines:
    """A writer of JSON lines."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def __call__(self, answer: Mapping[str, Any]) -> None:
        self.file.write(json.dumps(answer, ensure_ascii=False) + "\n")


class Table:
    """A writer of CSV: a column for each entry, `probabilities.cat` for one inside another; lists as JSON."""

    def __init__(self, file: IO[str]) -> None:
        self.writer = csv.writer(file, lineterminator="\n")
        self.header: list[str] = []

    def __call__(self, answer: Mapping[str, Any]) -> None:
        flat = dict(leaves(answer))
        if not self.header:
            self.header = list(flat)
            self.writer.writerow(self.header)
        self.writer.writerow(flat[name] for name in self.header)


def leaves(answer: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in answer.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        else:
            text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
            yield spreadsheet(f"{above}{name}"), spreadsheet(text)


FORMS: Mapping[str, Callable[[IO[str]], Writer]] = {".csv": Table, ".jsonl": JsonLines}
