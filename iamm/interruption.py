"""Signals that ask a command to leave: Ctrl-C, SIGTERM, and SIGUSR1, by which schedulers warn.

The first signal ends the command at once or, while a model trains, between two steps, where the run is saved. After
some seconds, or at the second signal, the command ends wherever it is; its files are then as they were last saved.
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


@contextmanager
def handled() -> Iterator[None]:
    """A block in which signals are handled, also in background jobs of a shell, which ignore Ctrl-C.

    After it each signal ends the process at once, without a traceback.
    """
    global _requested, _deferring
    _requested, _deferring = None, False
    try:
        for number in SIGNALS:
            signal.signal(number, on_signal)
        signal.signal(signal.SIGALRM, interrupt)
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)


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
    """A block in which the first signal is only recorded: see `requested`."""
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
    """The name of the signal that was received."""
    return signal.Signals(_requested or signal.SIGINT).name


def caused(error: BaseException | None) -> bool:
    """Whether an error is an interruption, or was raised while one was handled: by clean-up code of a library, say."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def exit_code() -> int:
    """The exit code that shells use: 130 after Ctrl-C, 143 after SIGTERM, 138 after SIGUSR1."""
    return 128 + (_requested or signal.SIGINT)


def resume_hint(command: str) -> str:
    """A line that names the signal and the command to go on with: the same one without `rerun=`."""
    words = [word for word in sys.argv[1:] if not word.startswith("rerun=")]
    return f"{command}: left by {signal_name()}; go on with: {shlex.join([command, *words])}"


def code_of(run: Callable[[], int], name: str, left: Callable[[str], str]) -> int:
    """The exit code of a run, for which signals are handled; a mistake or an interruption is one line on stderr.

    A defect is raised.

    Args:
        run: runs the command.
        name: of the command, printed before a mistake.
        left: makes the line for an interruption, from the name.
    """
    from iamm.errors import UserError, missing_package
    from iamm.output import print_mistake
    from iamm.own import own_error

    try:
        with handled():
            return run()
    except (KeyboardInterrupt, Exception) as error:
        if caused(error):
            print(left(name), file=sys.stderr)
            return exit_code()
        mistake = error if isinstance(error, UserError) else missing_package(error) or own_error(error)
        if mistake is None:
            raise
        print_mistake(name, mistake)
        return mistake.exit_code
