"""The run folder and the formats of its files.

config.yaml      the resolved configuration
status.json      running, finished, interrupted, diverged or failed
records.jsonl    one line a record: intervals of training, validations; a finished run's last line holds its checksum
scalars.csv      the values of the records, for other programs
result.json      the final measures and all that is needed to reproduce them; it exists only in a finished run
last.pt          the latest checkpoint; previous.pt is the one before it
scenes.json      the scenes without their examples: classes, vocabularies, shapes of the inputs
best.pt          the model that validation chose; best-<phase>.pt is that of an earlier phase
events.out.*     TensorBoard
examples.json    some generated sentences of test with their references, if any
pictures/        figures; with log.attention, attention.json holds the weights
log.txt          output of a run started by a sweep

The last key of status, scenes and result is the SHA-256 of the text before it. A result holds the SHA-256 of all files
that are complete with it. Every file is opened without following links, since a folder may be anybody's.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iamm.errors import BadDataError, BusyError, DamagedRunError, FullDiskError, MissingDataError, OutputError
from iamm.files import (
    ESCAPED,
    LEFTOVER,
    LONGEST_NAME,
    check_length,
    make_folder,
    plain,
    read_file,
    require_no_link,
    require_plain,
    shortened,
    writable,
    write_text,
)
from iamm.lock import locked
from iamm.record.checksummed import checked, strict, with_checksum

EVENTS = r"events\.out\.tfevents\.\d{10}\..+"
LASTING = re.compile(rf"config\.yaml|(scenes|examples)\.json|records\.jsonl|scalars\.csv|best(-.+)?\.pt|{EVENTS}")
"""Names of the files that are complete once a run is finished."""
CHANGING = re.compile(r"(status|result)\.json|(last|previous)\.pt")
PICTURES = re.compile(r"(val|test)-.+\.png|attention\.json")
"""Names inside `pictures`. All other files are a user's own, and never removed."""

Result = Mapping[str, Any]
"""The content of a `result.json`."""


class RunFolder:
    """The folder of one run.

    Args:
        path: created at the first write.

    Raises:
        OutputError: the path is too long.
        BadDataError: it is a link.
    """

    def __init__(self, path: Path) -> None:
        check_length(path)
        require_no_link(path)
        self.path = path
        self.config = path / "config.yaml"
        self.status = path / "status.json"
        self.records = path / "records.jsonl"
        self.scalars = path / "scalars.csv"
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
        return os.path.exists(self.result)  # False also where a folder may not be entered

    def state(self) -> tuple[str, str]:
        """The state of the run and its reason: finished, running, failed, interrupted (can be resumed) or missing.

        A diverged run counts as failed. The status of a killed run still is `running`: it counts as interrupted.
        """
        if self.finished():
            return "finished", ""
        if self.busy():
            return "running", "in another process"
        try:
            status = checked(read_file(self.status))
            failed, reason = status["state"] in ("failed", "diverged"), str(status.get("error", ""))
        except (OSError, BadDataError, ValueError, LookupError, TypeError):
            return ("interrupted" if self.has_checkpoint() else "missing"), ""
        return ("failed", reason) if failed else ("interrupted", "")

    def has_checkpoint(self) -> bool:
        return os.path.exists(self.last) or os.path.exists(self.previous)

    def busy(self) -> bool:
        """Whether a live process holds the folder. The check takes a shared lock, so several may check at once."""
        try:
            with open(self.path / ".lock", opener=plain) as lock:
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
            BadDataError: one of its files is not plain, or its folder of pictures is a link.
        """
        with writable(self.path):
            make_folder(self.path)
            lock = open(self.path / ".lock", "a", opener=plain)  # noqa: SIM115
        with lock:
            with writable(self.path):
                free = locked(lock)
            if not free:
                raise BusyError(f"One process a run folder. Found {self.path} in use by a live run: wait for it.")
            with writable(self.path):
                for file in self.own(LASTING, CHANGING, ending=LEFTOVER):
                    file.unlink()
            require_no_link(self.pictures)
            for file in self.own(LASTING, CHANGING):
                require_plain(file)
            yield

    def own(self, *names: re.Pattern[str], ending: str = "") -> list[Path]:
        """The files of the run with one of the names, and those inside `pictures`, in the order of their names."""
        places = ((self.path, names), (self.pictures, (PICTURES,)))
        return [
            file
            for folder, patterns in places
            for file in (sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else ())
            if file.name.endswith(ending) and any(each.fullmatch(file.name.removesuffix(ending)) for each in patterns)
        ]

    def clear(self) -> None:
        """Remove all files of an earlier run, the result first."""
        self.result.unlink(missing_ok=True)
        for file in self.own(LASTING, CHANGING):
            file.unlink()

    def checksums(self) -> dict[str, str]:
        """Path in the folder → SHA-256 of each file that is complete once the run is finished."""
        files = self.own(LASTING)
        return {str(file.relative_to(self.path)): hashlib.sha256(read_file(file)).hexdigest() for file in files}

    def write_status(self, state: str, **more: Any) -> None:
        """Write the status; on a full disk, overwrite the old one in place."""
        text = with_checksum({"state": state, "process": os.getpid(), "host": socket.gethostname(), **more})
        try:
            write_text(self.status, text)
        except FullDiskError:
            mode = "r+" if self.status.exists() else "w"
            with writable(self.status), open(self.status, mode, opener=plain, errors=ESCAPED, encoding="utf-8") as file:
                file.write(text)
                file.truncate()

    def append(self, record: Mapping[str, Any]) -> None:
        with writable(self.records), open(self.records, "a", encoding="utf-8", opener=plain) as file:
            file.write(strict(record) + "\n")

    def end_records(self) -> None:
        self.append({"kind": "end", "sha256": hashlib.sha256(self.records_so_far()).hexdigest()})

    def events(self) -> list[Path]:
        """The event files, in the order of their names."""
        return [file for file in self.own(re.compile(EVENTS)) if file.parent == self.path]

    def records_so_far(self) -> bytes:
        try:
            return read_file(self.records)
        except FileNotFoundError:
            return b""

    def read_records(self) -> bytes:
        """All records so far.

        Raises:
            BadDataError: the records of a finished run are damaged.
        """
        content = self.records_so_far()
        lines, _, end = content[:-1].rpartition(b"\n")
        last = {"kind": "end", "sha256": hashlib.sha256(lines + b"\n" * bool(lines)).hexdigest()}
        if self.finished() and end != json.dumps(last).encode():
            raise DamagedRunError(
                f"Records must be as they were written. Found {self.records} damaged: its SHA-256 is not right. "
                "Give the run's own command again."
            )
        return content


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
    try:
        content = checked(read_file(RunFolder(folder).result))
        missing = [key for key in keys if key not in content]
        if missing:
            raise ValueError(f"no {', '.join(missing)} in it")
        return content
    except (FileNotFoundError, OutputError) as error:  # no folder has a name that is too long
        raise MissingDataError(
            f"`{name}` must name the folder of a finished run. Found no result.json in {folder}: "
            "look at the end of the training's output for the folder."
        ) from error
    except ValueError as error:
        raise DamagedRunError(
            f"A result must be whole and of a run. Found {path}: {error}. Run again with rerun=true."
        ) from error
