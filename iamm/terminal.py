"""The console of a command, and tables that fit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

WIDE = 160
GAP = 2
"""Blanks between two columns."""


def plain_console() -> Console:
    """A console that prints paths and names without markup; its width is fixed for a file or a pipe."""
    console = Console(markup=False, emoji=False, highlight=False)
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
