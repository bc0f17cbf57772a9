"""One planned run in its own process, which ends with the process that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from functools import partial

from iamm import interruption, output
from iamm.files import plain
from iamm.run.planned import Cell

GRACE = 10.0
"""Seconds that an interrupted run has to end by itself."""


def run_alone(cell: Cell, environment: Mapping[str, str]) -> None:
    """Run the cell with its output in `log.txt`, and exit with the exit code of `iamm-train`.

    The process has its own group, so that Ctrl-C reaches the sweep only, which passes it on.

    Args:
        cell: the planned run.
        environment: of the sweep; that of the fork server may be older.
    """
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    log = plain(str(cell.folder.log), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    output.print_anything()
    threading.Thread(target=leave_with_parent, daemon=True).start()
    sys.exit(interruption.code_of(partial(trained, cell), "iamm-train", left))


def trained(cell: Cell) -> int:
    from iamm.run.job import train_job

    train_job(cell)
    return 0


def left(name: str) -> str:
    return f"{name}: left by {interruption.signal_name()}; the same command goes on."


def leave_with_parent() -> None:
    """End the run when its sweep has ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(130)
