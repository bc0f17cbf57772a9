"""Checkpoints: the state of a run in one file, replaced atomically and verified by its SHA-256.

A checkpoint is a file of `torch.save`, so `torch.load` reads it too. It is a zip archive whose comment is the SHA-256
of all bytes before it. A file is parsed only after its SHA-256 has been verified.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from iamm import processes
from iamm.engine.plan import RunState
from iamm.errors import BadDataError, MissingDataError, UserError
from iamm.files import read_file, write_bytes

MARK = b"sha256:"
COMMENT = len(MARK) + 64


def save_checkpoint(path: Path, state: RunState, parts: Mapping[str, Any], *, previous: Path | None = None) -> None:
    """Save the state dicts of all parts, the run state and the global random streams: plain containers and tensors.

    The first of several processes writes; the streams are those of all.

    Args:
        path: replaced in one step.
        state: position of the run.
        parts: name → module, optimizer or other object with a `state_dict`.
        previous: path to which the replaced checkpoint is moved.
    """
    content: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    content["state"] = asdict(state)
    content["random"] = processes.gathered(torch.get_rng_state()[None])
    content["gpu_random"] = gpu_random()
    if processes.rank() == 0:
        write_bytes(path, packed(content), previous=previous)


def gpu_random() -> list[torch.Tensor]:
    """The random stream of each GPU; of several processes, each has its own."""
    if not torch.cuda.is_initialized():
        return []
    if not processes.several():
        return torch.cuda.get_rng_state_all()
    return list(processes.gathered(torch.cuda.get_rng_state()[None]))


def load_checkpoint(path: Path, parts: Mapping[str, Any]) -> RunState:
    """Restore the parts and the global random streams; return the run state.

    Raises:
        BadDataError: a file that cannot be read as a checkpoint of these parts.
    """
    with readable(path):
        content = unpacked(read_file(path))
        for name, part in parts.items():
            part.load_state_dict(content[name])
        own = torch.atleast_2d(content["random"])[processes.rank()]
        torch.set_rng_state(own.clone())  # a row inside a larger tensor ends the process
        for gpu, stream in enumerate(content["gpu_random"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(stream, gpu)
        return RunState(**content["state"])


def file_is_intact(path: Path) -> bool:
    """Whether the file exists and its SHA-256 is right.

    Raises:
        BadDataError: it cannot be read.
    """
    try:
        return is_intact(read_file(path))
    except FileNotFoundError:
        return False


def save_model(path: Path, model: nn.Module, epoch: int) -> None:
    """Save the model and the number of epochs that it was trained for; the first of several processes writes."""
    if processes.rank() == 0:
        write_bytes(path, packed({"model": model.state_dict(), "epoch": epoch}))


def load_model(path: Path, model: nn.Module, epoch: int | None = None) -> int:
    """Restore the model; return the epoch after which it was saved.

    Args:
        path: of the file.
        model: to restore.
        epoch: after which it must have been saved; None: any.

    Raises:
        MissingDataError: there is no such file.
        BadDataError: a file that is not a checkpoint of this model, or of another epoch.
    """
    saved = load_saved(path)
    if epoch not in (None, saved["epoch"]):
        raise BadDataError(
            f"The model that validation chose must be that of epoch {epoch}. Found {path} of epoch {saved['epoch']}: "
            "start anew with rerun=true."
        )
    with readable(path):
        model.load_state_dict(saved["model"])
    return int(saved["epoch"])


def load_saved(path: Path) -> dict[str, Any]:
    """The tensors of a saved `model`, by name, and its `epoch`.

    Raises:
        MissingDataError: there is no such file.
        BadDataError: a file that is not a saved model.
    """
    if not path.exists():
        raise MissingDataError(f"A finished run must hold its model. Found no {path}: train again with rerun=true.")
    with readable(path):
        content = unpacked(read_file(path))
        return {"model": dict(content["model"]), "epoch": int(content["epoch"])}


def packed(content: Mapping[str, Any]) -> memoryview:
    """A file of `torch.save`, with its SHA-256 as the archive's comment."""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    with buffer.getbuffer() as archive:
        archive[-2:] = COMMENT.to_bytes(2, "little")  # the length of the comment ends the archive's last record
        mark = comment(archive)
    buffer.seek(0, io.SEEK_END)
    buffer.write(mark)
    return buffer.getbuffer()


def unpacked(file: bytes) -> dict[str, Any]:
    if not is_intact(file):
        raise ValueError("its SHA-256 is not right")
    content: dict[str, Any] = torch.load(io.BytesIO(file), map_location="cpu", weights_only=True)
    return content


def is_intact(file: bytes) -> bool:
    return file[-COMMENT:] == comment(memoryview(file)[:-COMMENT])


def comment(archive: memoryview) -> bytes:
    return MARK + hashlib.sha256(archive).hexdigest().encode()


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn any failure to read a damaged or foreign file into one `BadDataError`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).split(". ")[0].rstrip(".:")[:120] or type(error).__name__
        raise BadDataError(
            f"A checkpoint must be whole and of this model. Found {path}: {reason}. Start anew with rerun=true."
        ) from error
