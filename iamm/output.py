"""What the commands print, whatever the encoding of their output."""

from __future__ import annotations

import io
import sys


def print_anything() -> None:
    """What an output's encoding lacks, such as a dash in ASCII or a label in Latin-1, is written as `\\u2014`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
