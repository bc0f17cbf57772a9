"""The console of a command, which neither labels nor its reader can disturb, and tables that fit it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from iamm.output import discard, printable

WIDE = 160
GAP = 2
"""Blanks between two columns."""


class PlainConsole(Console):
    """A console without markup and control characters, which a closed pipe or a full device does not end."""

    def __init__(self) -> None:
        stream: Any = sys.stdout and Lasting(sys.stdout)
        super().__init__(file=stream, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


class Lasting:
    """A stream that goes on as if all were well when it cannot be written any more: a training must not end by that."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        try:
            return self.stream.write(text)
        except OSError as error:
            discard(self.stream, error)
            return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            discard(self.stream, error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def plain_console() -> Console:
    """A console that prints paths and names as they are; its width is fixed for a file or a pipe."""
    console = PlainConsole()
    if not console.is_terminal:
        console.width = WIDE
    return console


def print_table(
    console: Console, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, labels: int = 1
) -> None:
    """Print a table; columns that do not fit go into further blocks below, which repeat the labels.

    Figures are never cut. Labels are folded where they take more than half of the width.

    Args:
        console: its width counts.
        title: of all blocks.
        heads: of the columns.
        rows: of cells, as many as heads.
        labels: number of columns at the left that hold text and are repeated.
    """
    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    room = console.width - min(sum(widths[:labels]) + GAP * labels, console.width // 2) - GAP
    for block in blocks(widths[labels:], room):
        shown = [*range(labels), *(labels + place for place in block)]
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        for place in shown:
            text = place < labels
            table.add_column(heads[place], justify="left" if text else "right", overflow="fold", no_wrap=not text)
        for row in rows:
            table.add_row(*(row[place] for place in shown))
        console.print(table)


def blocks(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """The numbers of the columns that fit side by side, one at least."""
    block: list[int] = []
    for place, width in enumerate(widths):
        if block and sum(widths[other] + GAP for other in block) + width > room:
            yield block
            block = []
        block.append(place)
    yield block
