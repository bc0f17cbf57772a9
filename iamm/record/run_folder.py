"""The run folder and its files: the one owner of the record format.

config.yaml      the resolved configuration
status.json      running, finished, interrupted, diverged or failed
records.jsonl    one line a record: intervals of training, validations; a finished run's last line seals it
result.json      the final measures with everything needed to trust them; its presence means finished
last.pt          where training goes on from; previous.pt the checkpoint before it
scenes.json      the scenes without their examples: classes, vocabularies, shapes; with best.pt enough to predict
best.pt          the model that validation chose; best-<phase>.pt that of an earlier phase
events.out.*     TensorBoard
examples.json    some sentences of test beside their references, where any were written
pictures/        what was looked at; attention.json, where asked for, holds its numbers
log.txt          what the run printed, where a sweep started it

Status, scenes and result are sealed: their last key is the SHA-256 of all before it.
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
from iamm.files import ESCAPED, check_length, sweep_leftovers, writable, write_text
from iamm.lock import locked
from iamm.record.checksummed import checked, strict, with_checksum

Result = Mapping[str, Any]
"""The content of a `result.json`."""


class RunFolder:
    """One run's folder.

    Args:
        path: is made when first written.

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
        """Those that grow or change while a run lives."""
        return self.log, self.records, self.status, self.last, self.result

    def best_of(self, phase: str) -> Path:
        """The model that validation chose in an earlier phase of the run; empty: in the last one."""
        return self.path / f"best-{phase}.pt" if phase else self.best

    def finished(self) -> bool:
        return self.result.exists()

    def state(self) -> tuple[str, str]:
        """What became of the run, and why: finished, running, failed, interrupted (to be gone on with) or missing.

        A run that diverged has failed. One that was killed could not say so: its status says running still.
        """
        if self.finished():
            return "finished", ""
        if self.busy():
            return "running", "in another process"
        try:
            status = checked(self.status.read_bytes())
            failed, reason = status["state"] in ("failed", "diverged"), str(status.get("error", ""))
        except (OSError, ValueError, LookupError, TypeError):
            return ("interrupted" if self.kept() else "missing"), ""
        return ("failed", reason) if failed else ("interrupted", "")

    def kept(self) -> bool:
        """Whether there is a checkpoint, whole or not."""
        return self.last.exists() or self.previous.exists()

    def busy(self) -> bool:
        """True while a live process holds the folder. Several may look at once: looking takes a shared lock."""
        try:
            with (self.path / ".lock").open() as lock:
                return not locked(lock, fcntl.LOCK_SH, patience=0.0)
        except OSError:
            return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folder, made and locked: no second process writes it meanwhile. What a killed one had begun is swept.

        Raises:
            OutputError: the folder cannot be made or written.
            FullDiskError: there is no room in it.
            BusyError: another live process holds it.
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
        """Forget everything an earlier run left here."""
        kept = (self.last, self.previous, *self.path.glob("best*.pt"))
        read = (self.result, self.status, self.records, self.scenes, self.config, self.examples, self.attention)
        for file in (*read, *kept):
            file.unlink(missing_ok=True)
        for file in (*self.events(), *self.pictures.glob("*.png")):
            file.unlink()

    def write_status(self, state: str, **more: Any) -> None:
        """Also where the disk is full: then in place, where the old status stood."""
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

    def seal_records(self) -> None:
        """The last line of a finished run's records: the SHA-256 of those before it."""
        content = self.records.read_bytes() if self.records.exists() else b""
        self.append({"kind": "end", "sha256": hashlib.sha256(content).hexdigest()})

    def records_state(self) -> dict[str, Any]:
        """How long the records are, and their SHA-256."""
        content = self.records.read_bytes() if self.records.exists() else b""
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def cut_records(self, size: int, sha256: str) -> None:
        """Drop what came after the first `size` bytes.

        Raises:
            BadDataError: these are not as they were written.
        """
        content = self.records.read_bytes()[:size] if self.records.exists() else b""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BadDataError(damaged(self.records))
        if self.records.exists():
            os.truncate(self.records, size)

    def events(self) -> list[Path]:
        """TensorBoard's files."""
        return sorted(self.path.glob("events.out.*"))

    def read_records(self) -> bytes:
        """All records so far.

        Raises:
            BadDataError: those of a finished run are not as they were written.
        """
        content = self.records.read_bytes() if self.records.exists() else b""
        lines, _, end = content[:-1].rpartition(b"\n")
        seal = {"kind": "end", "sha256": hashlib.sha256(lines + b"\n" * bool(lines)).hexdigest()}
        if self.finished() and end != json.dumps(seal).encode():
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
    """The result of a finished run.

    Args:
        folder: of the run.
        keys: what the result must hold.
        name: of the key that says where it lies.

    Raises:
        MissingDataError: no finished run lies there.
        BadDataError: its result cannot be read, or lacks one of these.
    """
    path = folder / "result.json"
    if not path.exists():
        raise MissingDataError(
            f"`{name}` must name the folder of a finished run. Found no result.json in {folder}: "
            "look at the end of the training's output for the folder."
        )
    try:
        content = checked(path.read_bytes())
        lacking = [key for key in keys if key not in content]
        if lacking:
            raise ValueError(f"no {', '.join(lacking)} in it")
        return content
    except ValueError as error:
        raise BadDataError(
            f"A result must be whole and of a run. Found {path}: {error}. Run again with rerun=true."
        ) from error
