"""Output of the commands in any encoding, with no more effect on a terminal or a spreadsheet than text has."""

from __future__ import annotations

import io
import os
import re
import sys
from typing import IO, Any

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that command a terminal or turn the direction of a text."""


def print_anything() -> None:
    """Make the output write a character that its encoding lacks, such as a dash in ASCII, as `\\u2014`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def printable(text: str) -> str:
    """Replace each control character by its escape, such as `\\x1b`."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def spreadsheet(value: Any) -> Any:
    """A cell of CSV that no spreadsheet takes for a formula: a text that begins like one gets an apostrophe."""
    text = printable(value) if isinstance(value, str) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in ("=", "+", "-", "@", "\t") else text


def print_mistake(command: str, mistake: Exception | str) -> None:
    print(f"{command}: {printable(str(mistake))}", file=sys.stderr)


def discard(stream: IO[str], error: OSError) -> None:
    """Send what is still written to a stream nowhere: its reader has left, as `| head` does, or its device is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if not isinstance(error, BrokenPipeError):
        print_mistake("note", f"the rest of the output is lost: {error.strerror}")
