"""Files of numbers, one row per line."""

from __future__ import annotations

import re

import numpy as np

from iamm.dataset.files import LARGEST_TEXT, bad_text, read_packed

MOST_ROWS = 1_000_000
"""Limit of the lines; the published files have fewer than 200,000."""


def number_lines(
    data_dir: str | None, name: str, line: re.Pattern[bytes], rule: str, header: bytes | None = None
) -> list[bytes]:
    r"""Read the lines of a packed file, which end with `\n` or `\r\n`, and check each against a pattern.

    Args:
        line: pattern that each line matches completely.
        rule: the pattern in words: "have … in each line".
        header: the first line, which is left out; None if the file has no header.

    Raises:
        MissingDataError, BadDataError: as `read_packed`; and a line that does not match.
    """
    content = bytes(read_packed(data_dir, name, LARGEST_TEXT))
    lines = [text.removesuffix(b"\r") for text in content.removesuffix(b"\n").split(b"\n", MOST_ROWS)]
    if len(lines) > MOST_ROWS:
        raise bad_text(name, f"have at most {MOST_ROWS:,} lines", "one more", MOST_ROWS + 1, 1)
    first = 0 if header is None else 1
    if first and lines[0] != header:
        raise bad_text(name, f"begin with {header!r}", shown(lines[0]), 1, 1)
    for number, text in enumerate(lines[first:], start=first + 1):
        if not line.fullmatch(text):
            raise bad_text(name, rule, shown(text), number, 1)
    if len(lines) == first:
        raise bad_text(name, rule, "none", first + 1, 1)
    return lines[first:]


def shown(text: bytes) -> str:
    return repr(text[:20].decode(errors="replace"))


def numbers(lines: list[bytes]) -> np.ndarray:
    """Parse all numbers of lines from `number_lines` into one array, float64."""
    return np.fromstring(b" ".join(lines).replace(b",", b" "), dtype=np.float64, sep=" ")
