"""The run folder and the formats of its files.

config.yaml      the resolved configuration
status.json      running, finished, interrupted, diverged or failed
records.jsonl    one line a record: intervals of training, validations; a finished run's last line holds its checksum
result.json      the final measures and all that is needed to reproduce them; it exists only in a finished run
last.pt          the latest checkpoint; previous.pt is the one before it
scenes.json      the scenes without their examples: classes, vocabularies, shapes of the inputs
best.pt          the model that validation chose; best-<phase>.pt is that of an earlier phase
events.out.*     TensorBoard
examples.json    some generated sentences of test with their references, if any
pictures/        figures; with log.attention, attention.json holds the weights
log.txt          output of a run started by a sweep

The last key of status, scenes and result is the SHA-256 of the text before it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iamm.errors import BadDataError, BusyError, FullDiskError, MissingDataError
from iamm.files import ESCAPED, LONGEST_NAME, check_length, shortened, sweep_leftovers, writable, write_text
from iamm.lock import locked
from iamm.record.checksummed import checked, strict, with_checksum

Result = Mapping[str, Any]
"""The content of a `result.json`."""


class RunFolder:
    """The folder of one run.

    Args:
        path: created at the first write.

    Raises:
        OutputError: the path is too long.
    """

    def __init__(self, path: Path) -> None:
        check_length(path)
        self.path = path
        self.config = path / "config.yaml"
        self.status = path / "status.json"
        self.records = path / "records.jsonl"
        self.result = path / "result.json"
        self.last = path / "last.pt"
        self.previous = path / "previous.pt"
        self.best = path / "best.pt"
        self.scenes = path / "scenes.json"
        self.examples = path / "examples.json"
        self.pictures = path / "pictures"
        self.attention = self.pictures / "attention.json"
        self.log = path / "log.txt"

    def files(self) -> tuple[Path, ...]:
        """The files that change while a run is alive."""
        return self.log, self.records, self.status, self.last, self.result

    def best_of(self, phase: str) -> Path:
        """The file of the best model of an earlier phase; an empty name means the last phase."""
        return self.path / f"{shortened(f'best-{phase}', LONGEST_NAME - len('.pt.tmp'))}.pt" if phase else self.best

    def finished(self) -> bool:
        return self.result.exists()

    def state(self) -> tuple[str, str]:
        """The state of the run and its reason: finished, running, failed, interrupted (can be resumed) or missing.

        A diverged run counts as failed. The status of a killed run still is `running`: it counts as interrupted.
        """
        if self.finished():
            return "finished", ""
        if self.busy():
            return "running", "in another process"
        try:
            status = checked(self.status.read_bytes())
            failed, reason = status["state"] in ("failed", "diverged"), str(status.get("error", ""))
        except (OSError, ValueError, LookupError, TypeError):
            return ("interrupted" if self.has_checkpoint() else "missing"), ""
        return ("failed", reason) if failed else ("interrupted", "")

    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint, intact or damaged."""
        return self.last.exists() or self.previous.exists()

    def busy(self) -> bool:
        """Whether a live process holds the folder. The check takes a shared lock, so several may check at once."""
        try:
            with (self.path / ".lock").open() as lock:
                return not locked(lock, fcntl.LOCK_SH, patience=0.0)
        except OSError:
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Create and lock the folder against other processes, and remove temporary files of killed ones.

        Raises:
            OutputError: the folder cannot be created or written.
            FullDiskError: the disk is full.
            BusyError: another live process holds the folder.
        """
        with writable(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w")
        with lock:
            with writable(self.path):
                free = locked(lock)
            if not free:
                raise BusyError(f"One process a run folder. Found {self.path} in use by a live run: wait for it.")
            sweep_leftovers(self.path)
            yield

    def clear(self) -> None:
        """Remove all files of an earlier run."""
        checkpoints = (self.last, self.previous, *self.path.glob("best*.pt"))
        others = (self.status, self.records, self.scenes, self.config, self.examples, self.attention)
        for file in (self.result, *checkpoints, *others):
            file.unlink(missing_ok=True)
        for file in (*self.events(), *self.pictures.glob("*.png")):
            file.unlink()

    def write_status(self, state: str, **more: Any) -> None:
        """Write the status; on a full disk, overwrite the old one in place."""
        text = with_checksum({"state": state, "process": os.getpid(), "host": socket.gethostname(), **more})
        try:
            write_text(self.status, text)
        except FullDiskError:
            mode = "r+" if self.status.exists() else "w"
            with writable(self.status), self.status.open(mode, encoding="utf-8", errors=ESCAPED) as file:
                file.write(text)
                file.truncate()

    def append(self, record: Mapping[str, Any]) -> None:
        with writable(self.records), self.records.open("a", encoding="utf-8") as file:
            file.write(strict(record) + "\n")

    def end_records(self) -> None:
        """Write the last line of the records: the SHA-256 of those before it."""
        content = self.records.read_bytes() if self.records.exists() else b""
        self.append({"kind": "end", "sha256": hashlib.sha256(content).hexdigest()})

    def records_state(self) -> dict[str, Any]:
        """The size of the records and their SHA-256."""
        content = self.records.read_bytes() if self.records.exists() else b""
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def cut_records(self, size: int, sha256: str) -> None:
        """Truncate the records to their first `size` bytes.

        Raises:
            BadDataError: these bytes are damaged.
        """
        content = self.records.read_bytes()[:size] if self.records.exists() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BadDataError(damaged(self.records))
        if self.records.exists():
            os.truncate(self.records, size)

    def events(self) -> list[Path]:
        """The event files, in the order of their names."""
        return sorted(self.path.glob("events.out.*"))

    def read_records(self) -> bytes:
        """All records so far.

        Raises:
            BadDataError: the records of a finished run are damaged.
        """
        content = self.records.read_bytes() if self.records.exists() else b""
        lines, _, end = content[:-1].rpartition(b"\n")
        last = {"kind": "end", "sha256": hashlib.sha256(lines + b"\n" * bool(lines)).hexdigest()}
        if self.finished() and end != json.dumps(last).encode():
            raise BadDataError(damaged(self.records))
        return content


def damaged(records: Path) -> str:
    return (
        f"Records must be as they were written. Found {records} damaged: its SHA-256 is not right. "
        "Run again with rerun=true."
    )


def write_json(path: Path, content: Any) -> None:
    write_text(path, strict(content, indent=2) + "\n")


def read_result(folder: Path, keys: Collection[str] = ("test", "config"), name: str = "run") -> dict[str, Any]:
    """Read the result of a finished run.

    Args:
        folder: of the run.
        keys: keys that the result must hold.
        name: of the configuration key that names the folder.

    Raises:
        MissingDataError: the folder has no finished run.
        BadDataError: the result cannot be read, or lacks a key.
    """
    path = folder / "result.json"
    if not os.path.exists(path):  # `Path.exists` raises where a name is longer than the file system takes
        raise MissingDataError(
            f"`{name}` must name the folder of a finished run. Found no result.json in {folder}: "
            "look at the end of the training's output for the folder."
        )
    try:
        content = checked(path.read_bytes())
        missing = [key for key in keys if key not in content]
        if missing:
            raise ValueError(f"no {', '.join(missing)} in it")
        return content
    except ValueError as error:
        raise BadDataError(
            f"A result must be whole and of a run. Found {path}: {error}. Run again with rerun=true."
        ) from error
