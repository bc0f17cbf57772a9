"""The run folder and its files: the one owner of the record format.

config.yaml      the resolved configuration
status.json      running, finished or failed; always written whole
records.jsonl    one line a record: intervals of training, validations
result.json      the final measures with everything needed to trust them; written last, its presence means finished
last.pt, best.pt where training goes on from; the model that validation chose
events.out.*     TensorBoard
examples.json    some sentences of test beside their references, where any were written
pictures/        what was looked at; attention.json, where asked for, holds its numbers
log.txt          what the run printed, where a sweep started it
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from iamm.errors import BadDataError, BusyError, MissingDataError, OutputError

PLACES = ("output_dir", "data_dir", "device", "threads", "mode", "run", "rerun", "log", "sweep")
"""Keys that say where and how, not what is computed; left out of a run's address."""

BUDGET = ("seed", "epochs", "steps", "batch_size", "accumulate", "growth", "growth_every", "patience")
"""Keys that say how long a run may train, and on what batches."""

Result = Mapping[str, Any]
"""The content of a `result.json`."""


def address(config: Mapping[str, Any], names: Sequence[str]) -> str:
    """A readable name and 8 hex digits of SHA-256 over what the configuration computes.

    Args:
        config: resolved, plain containers.
        names: what a reader should see first, such as model and data sets.
    """
    without_places = drop_keys(config, PLACES)
    text = json.dumps(without_places, sort_keys=True, ensure_ascii=False)
    return "-".join((*names, hashlib.sha256(text.encode()).hexdigest()[:8]))


def drop_keys(value: Any, keys: Sequence[str]) -> Any:
    """The same containers without those keys, at any depth."""
    if isinstance(value, Mapping):
        return {key: drop_keys(part, keys) for key, part in value.items() if key not in keys}
    if isinstance(value, list):
        return [drop_keys(part, keys) for part in value]
    return value


class RunFolder:
    """One run's folder.

    Args:
        path: is made when first written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.status = path / "status.json"
        self.records = path / "records.jsonl"
        self.result = path / "result.json"
        self.last = path / "last.pt"
        self.best = path / "best.pt"
        self.examples = path / "examples.json"
        self.pictures = path / "pictures"
        self.attention = self.pictures / "attention.json"
        self.log = path / "log.txt"

    def files(self) -> tuple[Path, ...]:
        """Those that grow or change while a run lives."""
        return self.log, self.records, self.status, self.last, self.result

    def finished(self) -> bool:
        return self.result.exists()

    def state(self) -> tuple[str, str]:
        """What became of the run, and why: finished, running, failed, interrupted (to be gone on with) or missing."""
        if self.finished():
            return "finished", ""
        if self.busy():
            return "running", "in another process"
        try:
            status = json.loads(self.status.read_text(encoding="utf-8"))
            failed, reason = status["state"] == "failed", str(status.get("error", ""))
        except (OSError, ValueError, LookupError, TypeError):
            return ("interrupted" if self.last.exists() else "missing"), ""
        return ("failed", reason) if failed else ("interrupted", "")

    def busy(self) -> bool:
        """True while a live process holds the folder. Several may look at once: looking takes a shared lock."""
        try:
            with (self.path / ".lock").open() as lock:
                return not locked(lock, fcntl.LOCK_SH, patience=0.0)
        except OSError:
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder, made and locked: no second process writes it meanwhile.

        Raises:
            OutputError: the folder cannot be made or written.
            BusyError: another live process holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise OutputError(
                f"A run folder must be writable. Found {self.path}: {error.strerror}. Set output_dir=… elsewhere."
            ) from error
        with lock:
            if not locked(lock):
                raise BusyError(f"One process a run folder. Found {self.path} in use by a live run: wait for it.")
            yield

    def clear(self) -> None:
        """Forget everything an earlier run left here."""
        plain = (self.result, self.status, self.records, self.last, self.best, self.config, self.examples)
        for file in (*plain, self.attention):
            file.unlink(missing_ok=True)
        for file in (*self.path.glob("events.out.*"), *self.pictures.glob("*.png")):
            file.unlink()

    def write_status(self, state: str, **more: Any) -> None:
        write_json(self.status, {"state": state, "process": os.getpid(), "host": socket.gethostname(), **more})

    def append(self, record: Mapping[str, Any]) -> None:
        with self.records.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def cut_records(self, step: int) -> None:
        """Drop what an interrupted run recorded after its checkpoint, or of a test, and a line it did not finish."""
        if not self.records.exists():
            return
        records = {line: json.loads(line) for line in whole_lines(self.records)}
        kept = [line for line, record in records.items() if record["step"] <= step and record["kind"] != "test"]
        write_text(self.records, "".join(kept))


def locked(lock: IO[str], kind: int = fcntl.LOCK_EX, patience: float = 2.0) -> bool:
    """Take the lock of an open file; False if another process still holds it after so many seconds.

    A look at the lock by a third process, or the end of a process that was killed, lasts a moment.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def whole_lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as file:
        return [line for line in file if line.endswith("\n")]


def write_text(path: Path, text: str) -> None:
    """Whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_result(folder: Path, keys: Collection[str] = ("test", "config")) -> dict[str, Any]:
    """The result of a finished run.

    Args:
        folder: of the run.
        keys: what the result must hold.

    Raises:
        MissingDataError: no finished run lies there.
        BadDataError: its result cannot be read, or lacks one of these.
    """
    path = folder / "result.json"
    if not path.exists():
        raise MissingDataError(
            f"`run` must name the folder of a finished run. Found no result.json in {folder}: "
            "look at the end of the training's output for the folder."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lacking = [key for key in keys if not isinstance(content, dict) or key not in content]
        if lacking:
            raise ValueError(f"no {', '.join(lacking)} in it")
        return content
    except ValueError as error:
        raise BadDataError(
            f"A result must be whole and of a run. Found {path}: {error}. Run again with rerun=true."
        ) from error
