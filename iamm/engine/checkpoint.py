"""What a run needs to go on, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import nn

from iamm.engine.plan import RunState
from iamm.errors import BadDataError


def save_checkpoint(path: Path, state: RunState, parts: Mapping[str, Any]) -> None:
    """State dicts of all parts, the run state and the global random streams; plain containers and tensors only.

    Args:
        path: replaced in one step: a temporary file in the same folder, flushed to disk, then renamed.
        state: where the run stands.
        parts: name → module, optimizer or whatever has a `state_dict`.
    """
    content: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    content["state"] = asdict(state)
    content["random"] = torch.get_rng_state()
    content["gpu_random"] = torch.cuda.get_rng_state_all()
    write_whole(path, content)


def load_checkpoint(path: Path, parts: Mapping[str, Any]) -> RunState:
    """Put the parts and the global random streams back where they were.

    Raises:
        BadDataError: a file that cannot be read as a checkpoint of these parts.
    """
    with readable(path):
        content = read_whole(path)
        for name, part in parts.items():
            part.load_state_dict(content[name])
        torch.set_rng_state(content["random"])
        for gpu, stream in enumerate(content["gpu_random"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(stream, gpu)
        return RunState(**content["state"])


def save_model(path: Path, model: nn.Module) -> None:
    write_whole(path, {"model": model.state_dict()})


def load_model(path: Path, model: nn.Module) -> None:
    """Raises:
    BadDataError: a file that cannot be read as this model's.
    """
    with readable(path):
        model.load_state_dict(read_whole(path)["model"])


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(dict(content), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_whole(path: Path) -> dict[str, Any]:
    """The content, if every byte is as it was written: torch itself does not look at the file's check sums."""
    with ZipFile(path) as file:
        damaged = file.testzip()
    if damaged:
        raise BadZipFile(f"{damaged} is damaged")
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """A damaged or foreign file can fail in any way while it is read; it is one and the same mistake."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()).split(". ")[0].rstrip(".:")[:120] or type(error).__name__
        raise BadDataError(
            f"A checkpoint must be whole and of this model. Found {path}: {reason}. Start anew with rerun=true."
        ) from error
