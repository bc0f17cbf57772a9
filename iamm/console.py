"""The console of the commands: plain text, which neither the labels in it nor its reader can disturb."""

from __future__ import annotations

import sys
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from iamm.output import discard, printable

WIDE = 160


class PlainConsole(Console):
    """A console without markup and control characters, which a closed pipe or a full device does not end.

    Its width is fixed for a file or a pipe.
    """

    def __init__(self) -> None:
        stream: Any = sys.stdout and Lasting(sys.stdout)
        super().__init__(file=stream, markup=False, emoji=False, highlight=False)
        if not self.is_terminal:
            self.width = WIDE

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
