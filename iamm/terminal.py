"""The console of a command, which neither labels nor its reader can disturb, and tables that fit it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import IO, Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from iamm.output import discard, printable

WIDE = 160
GAP = 2
"""Blanks between two columns."""
LABEL = 8
"""The least mean width of several labels side by side; with less they become one column."""


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

    Figures are never cut. Where not all fit, their heads are folded, and so are labels that take more than half of the
    width.

    Args:
        console: its width counts.
        title: of all blocks.
        heads: of the columns.
        rows: of cells, as many as heads.
        labels: number of columns at the left that hold text and are repeated.
    """
    shown = [[printable(cell) for cell in row] for row in (heads, *rows)]
    widths = widths_of(shown)
    if sum(widths) + GAP * len(widths) > console.width:
        if LABEL * labels > console.width // 2:
            shown, labels = [[" ".join(row[:labels]), *row[labels:]] for row in shown], 1
        words = (max(head.split(), key=cell_len, default="") for head in shown[0][labels:])
        widths = widths_of([[*shown[0][:labels], *words], *shown[1:]])
    room = console.width - min(sum(widths[:labels]) + GAP * labels, console.width // 2) - GAP
    for block in blocks(widths[labels:], room):
        places = [*range(labels), *(labels + place for place in block)]
        figures = sum(widths[place] + GAP for place in places[labels:])
        wide = [*narrowed(widths[:labels], console.width - GAP * labels - figures), *widths[labels:]]
        head, *others = ([(row[place], wide[place]) for place in places] for row in shown)
        rule = "─" * (sum(wide[place] + GAP for place in places) - GAP)
        console.print(title, style="italic")
        console.print("", *lines(console, head, labels), sep="\n ", style="bold", soft_wrap=True)
        body = (line for row in others for line in lines(console, row, labels))
        console.print(f" {rule}", *body, "", sep="\n ", soft_wrap=True)


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]


def narrowed(widths: Sequence[int], room: int) -> list[int]:
    """The widths, of which the widest are less until all fit side by side."""
    narrow = list(widths)
    while sum(narrow) > room and max(narrow) > 1:
        narrow[narrow.index(max(narrow))] -= 1
    return narrow


def lines(console: Console, cells: Sequence[tuple[str, int]], labels: int) -> Iterator[str]:
    """The lines of a row.

    Args:
        console: folds texts that are too wide.
        cells: text and width of each; the labels come first, and stand at the left.
        labels: their number.
    """
    folded = [Text(text).wrap(console, width) if cell_len(text) > width else [text] for text, width in cells]
    for parts in zip_longest(*folded, fillvalue=""):
        line = []
        for place, ((_, width), part) in enumerate(zip(cells, map(str, parts), strict=True)):
            gap = " " * (width - cell_len(part))
            line.append(part + gap if place < labels else gap + part)
        yield (" " * GAP).join(line).rstrip()


def blocks(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """The numbers of the columns that fit side by side, one at least."""
    block: list[int] = []
    for place, width in enumerate(widths):
        if block and sum(widths[other] + GAP for other in block) + width > room:
            yield block
            block = []
        block.append(place)
    yield block
