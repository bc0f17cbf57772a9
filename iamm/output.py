"""Output of the commands in any encoding."""

from __future__ import annotations

import io
import sys


def print_anything() -> None:
    """Make the output write a character that its encoding lacks, such as a dash in ASCII, as `\\u2014`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
