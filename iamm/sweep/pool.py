"""Planned runs side by side on this machine, each in its own process."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from iamm.errors import BadDataError, BusyError, OutputError, UserError
from iamm.files import make_folder, plain, read_file
from iamm.interruption import SIGNALS
from iamm.record.run_folder import RunFolder
from iamm.run.finished import complete
from iamm.run.planned import Cell
from iamm.sweep.process import run_alone

GLANCE = 0.5
"""Seconds between two checks of the running processes."""
PATIENCE = 15.0
"""Seconds that a run has to stop before it is killed."""
ATTEMPTS = 10
"""Attempts to start a process."""
LOST = 255
"""Exit code, by `multiprocessing`, of a process whose fork server was killed; the run is started again, once."""
UNTOLD = (BusyError.exit_code, *(128 + number for number in SIGNALS))
"""Exit codes of runs whose status is written by another process, or already states the interruption."""


class ProcessOutcome(NamedTuple):
    """The outcome of a cell.

    Args:
        cell: the planned run.
        code: exit code; negative: the signal that ended it.
        reason: of a code that is not 0.
        reused: whether the run was finished before.
    """

    cell: Cell
    code: int
    reason: str
    reused: bool = False


@dataclass
class Live:
    """A running process, its last signs of life (size and time of each file), and their time."""

    cell: Cell
    process: BaseProcess
    signs: list[tuple[int, int]]
    since: float


def run_cells(
    cells: Sequence[Cell], jobs: int, silence: float, report: Callable[[ProcessOutcome], None]
) -> list[ProcessOutcome]:
    """Run each cell that is not finished; return the outcomes of those that failed.

    Args:
        cells: in the order of their start; repeated cells are run once.
        jobs: number of runs at once.
        silence: seconds without a sign of life after which a run is stopped.
        report: receives each outcome as the run ends.
    """
    failed = []
    for outcome in outcomes(deque({cell.path: cell for cell in cells}.values()), jobs, silence):
        report(outcome)
        failed += [outcome] if outcome.code else []
    return failed


def outcomes(waiting: deque[Cell], jobs: int, silence: float) -> Iterator[ProcessOutcome]:
    """Run the waiting cells, and yield each outcome as the run ends."""
    again = list[Cell]()
    with stopped_at_the_end() as running:
        while waiting or running:
            while len(running) < jobs and (cell := ready(waiting, [live.cell for live in running])):
                waiting.remove(cell)
                if isinstance(begun := begin(cell), Live):
                    running.append(begun)
                else:
                    yield begun
            wait([live.process.sentinel for live in running], GLANCE)
            for live in list(running):
                reason = hung(live, silence)
                if reason or not live.process.is_alive():
                    running.remove(live)
                    if live.process.exitcode == LOST and live.cell not in again:
                        kill_orphan(live.process)
                        again.append(live.cell)
                        waiting.append(live.cell)
                    else:
                        yield ended(live, reason)


def ready(waiting: Sequence[Cell], running: Sequence[Cell]) -> Cell | None:
    """The first waiting cell that does not depend on an unfinished one, if any."""
    unfinished = {cell.path for cell in (*waiting, *running)}
    return next((cell for cell in waiting if source_of(cell) not in unfinished), None)


def source_of(cell: Cell) -> Path | None:
    """The folder of the run that this one starts from."""
    return Path(cell.values["from"]) if cell.values.get("from") else None


@contextmanager
def stopped_at_the_end() -> Iterator[list[Live]]:
    """A list of running processes; those still alive at the exit are stopped."""
    running: list[Live] = []
    try:
        yield running
    finally:
        for live in running:
            interrupt(live.process)
        for live in running:
            stop(live.process)


def begin(cell: Cell) -> Live | ProcessOutcome:
    """Start the run in a process forked from a server with all imports; or return the outcome without a start."""
    try:
        if complete(cell):
            return ProcessOutcome(cell, 0, "", reused=True)
        make_folder(cell.path)
        with open(cell.folder.log, "a", opener=plain):
            pass
    except BadDataError as error:
        return ProcessOutcome(cell, error.exit_code, str(error))
    except OSError as error:
        return ProcessOutcome(cell, OutputError.exit_code, f"A run folder must be writable: {error.strerror}.")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["iamm.sweep.warm"])
    process = context.Process(target=run_alone, args=(cell, dict(os.environ)))
    try:
        start(process)
    except (OSError, EOFError) as error:
        raise OutputError(
            f"A sweep must be able to start processes. Found: {error}. Set TMPDIR to a folder with a short path, or "
            "look at the limit of processes."
        ) from error
    return Live(cell, process, signs_of_life(cell.folder), time.monotonic())


def start(process: BaseProcess) -> None:
    """Start a process; again where its server was killed a moment ago, which is not known at once."""
    for attempt in range(ATTEMPTS):
        try:
            start_server()
            process.start()
            return
        except (ConnectionError, EOFError):
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(GLANCE)


def start_server() -> None:
    """Start the fork server, if need be, from the root folder.

    Python 3.10 knows no PYTHONSAFEPATH: its processes import from the folder that they begin in.
    """
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir("/")
        forkserver.ensure_running()
    finally:
        os.fchdir(here)
        os.close(here)


def hung(live: Live, silence: float) -> str:
    """Stop a run without a sign of life for `silence` seconds; return the reason, or an empty text."""
    signs = signs_of_life(live.cell.folder)
    if signs != live.signs:
        live.signs, live.since = signs, time.monotonic()
    if not live.process.is_alive() or time.monotonic() - live.since <= silence:
        return ""
    interrupt(live.process)
    stop(live.process)
    return f"stopped: no sign of life for {silence:g} s"


def signs_of_life(folder: RunFolder) -> list[tuple[int, int]]:
    """Size and time of each file that a run writes."""
    signs = []
    for file in folder.files():
        with suppress(OSError):
            status = file.stat()
            signs.append((status.st_size, status.st_mtime_ns))
    return signs


def interrupt(process: BaseProcess) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGINT)


def kill_orphan(process: BaseProcess) -> None:
    """Kill a process that goes on although its fork server was killed."""
    if process.pid is not None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def stop(process: BaseProcess) -> None:
    """Wait for the process to end, then kill it."""
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()


def ended(live: Live, reason: str) -> ProcessOutcome:
    """The outcome of an ended run; its status is written if the run could not write it."""
    code = live.process.exitcode or 0
    live.process.close()
    folder = live.cell.folder
    if folder.finished():
        return ProcessOutcome(live.cell, 0, "")
    stopped, reason = bool(reason), reason or last_line(folder, code)
    if stopped or (code not in UNTOLD and folder.state()[0] != "failed"):
        with suppress(UserError):  # the folder may be gone
            folder.write_status("failed", error=reason)
    return ProcessOutcome(live.cell, code or 1, reason)


def last_line(folder: RunFolder, code: int) -> str:
    """The last line of the run's log, or the signal that killed it."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    try:
        lines = [line for line in read_file(folder.log).decode(errors="replace").split("\n") if line.strip()]
    except (OSError, BadDataError) as error:
        return f"its folder was removed or changed: {error}"
    return lines[-1].removeprefix("iamm-train: ") if lines else f"left with exit code {code}"
