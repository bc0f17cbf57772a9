"""What both commands have in common: help without waiting, one line for a mistake, the right exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from iamm import output

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: threads that spin for long crawl on busy cores
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # a short spin: twice as fast on idle cores, at most half on busy ones
os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # mistakes reach `command`, which says them in one line


def command(name: str, help_text: Callable[[], str], run: Callable[[], int]) -> None:
    """Run the command line; exit with 0, or with the code of the user's mistake.

    Args:
        name: stands before a mistake.
        help_text: for -h and --help.
        run: does the work; gives the exit code.
    """
    output.print_anything()
    if {"-h", "--help"} & set(sys.argv[1:]):
        return print_help(help_text())
    from iamm import interruption

    interruption.install()
    sys.exit(interruption.code_of(run, name, interruption.resume_hint))


def print_help(text: str) -> None:
    """Quietly only as much of it as is read, as in `--help | head`."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
