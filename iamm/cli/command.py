"""The common part of the commands: fast help, one line for a mistake, the exit code."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from iamm import __version__, output

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: threads that spin for long crawl on busy cores
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # a short spin: twice as fast on idle cores, at most half on busy ones
os.environ["PYTHONSAFEPATH"] = "1"  # no process that a command starts imports from the current folder
os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach `command`, which prints them in one line


def command(name: str, help_text: Callable[[], str], run: Callable[[], int]) -> None:
    """Run the command line; exit with 0, or with the code of the user's mistake.

    Args:
        name: of the command, printed before an error.
        help_text: for -h and --help.
        run: runs the command, and returns the exit code.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends the process in silence until `code_of` handles it
    output.print_anything()
    if "--version" in sys.argv[1:]:
        return print_help(f"{name} {__version__}")
    if {"-h", "--help"} & set(sys.argv[1:]):
        return print_help(help_text())
    if sys.argv[1:] and sys.argv[1].startswith("--complet"):
        run = complete
    from iamm import interruption
    from iamm.config.groups import config_dirs
    from iamm.own import import_from_beside

    for folder in config_dirs():
        import_from_beside(folder)
    sys.argv[1:] = [re.sub(r"^([\w.]+=)~(?=/|$)", rf"\1{Path.home()}", word) for word in sys.argv[1:]]  # as shells do
    try:
        code = interruption.code_of(run, name, interruption.resume_hint)
        sys.stdout.flush()
    except BrokenPipeError as error:
        output.discard(sys.stdout, error)
        code = 128 + signal.SIGPIPE
    sys.exit(code)


def complete() -> int:
    from iamm.cli.completion import answer

    return answer(sys.argv[1:])


def print_help(text: str) -> None:
    """Print the help, without an error if the reader stops early, as in `--help | head`."""
    try:
        print(text, flush=True)
    except OSError as error:
        output.discard(sys.stdout, error)
