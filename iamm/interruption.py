"""Signals that ask a command to leave: Ctrl-C, SIGTERM, and SIGUSR1, by which schedulers warn.

The first is heard at once, or, while a model trains, between two steps, where the run can be kept; after some seconds,
or at the second, the command leaves wherever it is. Files are then as they were last kept.
"""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
GRACE = 3.0
"""Seconds that a step has to end."""

_requested: int | None = None
_deferring = False


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to leave."""


def install() -> None:
    """Hear the signals from now on, also where a shell's background jobs would ignore Ctrl-C."""
    global _requested, _deferring
    _requested, _deferring = None, False
    for number in SIGNALS:
        signal.signal(number, on_signal)
    signal.signal(signal.SIGALRM, interrupt)


def on_signal(number: int, frame: FrameType | None) -> None:
    global _requested
    first, _requested = _requested is None, _requested or number
    if first and _deferring:
        signal.setitimer(signal.ITIMER_REAL, GRACE)
    else:
        interrupt(number, frame)


def interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


@contextmanager
def deferred() -> Iterator[None]:
    """Here the first signal is only noted: look at `asked`."""
    global _deferring
    _deferring = True
    try:
        yield
    finally:
        _deferring = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def requested() -> bool:
    """Whether a signal has asked to leave."""
    return _requested is not None


def signal_name() -> str:
    """Of the signal."""
    return signal.Signals(_requested or signal.SIGINT).name


def exit_code() -> int:
    """As shells count: 130 after Ctrl-C, 143 after SIGTERM, 138 after SIGUSR1."""
    return 128 + (_requested or signal.SIGINT)


def resume_hint(command: str) -> str:
    """What was heard, and how to go on: the same words, but for those that would start anew."""
    words = [word for word in sys.argv[1:] if not word.startswith("rerun=")]
    return f"{command}: left by {signal_name()}; go on with: {shlex.join([command, *words])}"


def code_of(run: Callable[[], int], name: str, left: Callable[[str], str]) -> int:
    """The exit code of a run; a mistake, or what was heard, is said in one line. A defect goes through.

    Args:
        run: what is done.
        name: stands before a mistake.
        left: what is said where a signal asked to leave.
    """
    from iamm.errors import UserError, missing_package

    try:
        return run()
    except KeyboardInterrupt:
        print(left(name), file=sys.stderr)
        return exit_code()
    except Exception as error:
        mistake = error if isinstance(error, UserError) else missing_package(error)
        if mistake is None:
            raise
        print(f"{name}: {mistake}", file=sys.stderr)
        return mistake.exit_code
