"""Planned runs side by side on this machine, each in a process of its own: what one does leaves the others alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

from iamm.errors import BadDataError, BusyError, OutputError
from iamm.interruption import SIGNALS
from iamm.record.run_folder import RunFolder
from iamm.run.finished import finished
from iamm.run.planned import Cell
from iamm.sweep.process import run_alone

GLANCE = 0.5
"""Seconds between two looks at runs that do not end."""
PATIENCE = 15.0
"""Seconds that a run has to stop before it is killed."""
UNTOLD = (BusyError.exit_code, *(128 + number for number in SIGNALS))
"""Exit codes of runs whose status is another's to write, or says already that they were asked to leave."""


class ProcessOutcome(NamedTuple):
    """What became of a cell: its exit code (negative: the signal that ended it) and, if not 0, why."""

    cell: Cell
    code: int
    reason: str


@dataclass
class Live:
    """A run on its way, its last signs of life (size and time of each file), and when they came."""

    cell: Cell
    process: BaseProcess
    signs: list[tuple[int, int]]
    since: float


def run_cells(
    cells: Sequence[Cell], jobs: int, silence: float, tell: Callable[[ProcessOutcome], None]
) -> list[ProcessOutcome]:
    """Run each cell that is not finished; the outcomes of those that failed.

    Args:
        cells: in the order in which they begin; the same one twice is run once.
        jobs: how many run at once.
        silence: seconds without a sign of life after which a run is stopped.
        tell: is told each outcome as it comes.
    """
    failed = []
    for outcome in outcomes(deque({cell.folder.path: cell for cell in cells}.values()), jobs, silence):
        tell(outcome)
        failed += [outcome] if outcome.code else []
    return failed


def outcomes(waiting: deque[Cell], jobs: int, silence: float) -> Iterator[ProcessOutcome]:
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
                    yield ended(live, reason)


def ready(waiting: Sequence[Cell], running: Sequence[Cell]) -> Cell | None:
    """The first that begins from no run that is still to end; none where all that wait must wait on."""
    unfinished = {cell.folder.path for cell in (*waiting, *running)}
    return next((cell for cell in waiting if source_of(cell) not in unfinished), None)


def source_of(cell: Cell) -> Path | None:
    """The folder of the run that this one begins from."""
    return Path(cell.values["from"]) if cell.values.get("from") else None


@contextmanager
def stopped_at_the_end() -> Iterator[list[Live]]:
    """A list of runs; those that still live when it is left are stopped."""
    running: list[Live] = []
    try:
        yield running
    finally:
        for live in running:
            interrupt(live.process)
        for live in running:
            stop(live.process)


def begin(cell: Cell) -> Live | ProcessOutcome:
    """The run's process, forked from a server that has imported what all runs need; or why it need not or cannot
    begin."""
    try:
        if not cell.values["rerun"] and finished(cell):
            return ProcessOutcome(cell, 0, "")
        cell.folder.path.mkdir(parents=True, exist_ok=True)
        cell.folder.log.touch()
    except BadDataError as error:
        return ProcessOutcome(cell, error.exit_code, str(error))
    except OSError as error:
        return ProcessOutcome(cell, OutputError.exit_code, f"A run folder must be writable: {error.strerror}.")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["iamm.sweep.warm"])
    process = context.Process(target=run_alone, args=(cell,))
    process.start()
    return Live(cell, process, signs_of_life(cell.folder), time.monotonic())


def hung(live: Live, silence: float) -> str:
    """Stop a run that has not given a sign of life for so long; why, if so."""
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
    found = [file.stat() for file in folder.files() if file.exists()]
    return [(status.st_size, status.st_mtime_ns) for status in found]


def interrupt(process: BaseProcess) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGINT)


def stop(process: BaseProcess) -> None:
    """Let it leave by itself; then make it."""
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()


def ended(live: Live, reason: str) -> ProcessOutcome:
    """What became of the run; its status says so too, also where the run could not write it itself."""
    code = live.process.exitcode or 0
    live.process.close()
    folder = live.cell.folder
    if folder.finished():
        return ProcessOutcome(live.cell, 0, "")
    stopped, reason = bool(reason), reason or last_words(folder, code)
    if stopped or (code not in UNTOLD and folder.state()[0] != "failed"):
        folder.write_status("failed", error=reason)
    return ProcessOutcome(live.cell, code or 1, reason)


def last_words(folder: RunFolder, code: int) -> str:
    """What the run said last, or the signal that killed it."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    said = [line for line in folder.log.read_text(encoding="utf-8", errors="replace").split("\n") if line.strip()]
    return said[-1].removeprefix("iamm-train: ") if said else f"left with exit code {code}"
