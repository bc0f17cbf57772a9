"""What a run needs to go on, written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from iamm.engine.plan import RunState
from iamm.errors import BadDataError


def save_checkpoint(path: Path, state: RunState, parts: Mapping[str, Any]) -> None:
    """State dicts of all parts, the run state and the global random stream; plain containers and tensors only.

    Args:
        path: replaced in one step: a temporary file in the same folder, flushed to disk, then renamed.
        state: where the run stands.
        parts: name → module, optimizer or whatever has a `state_dict`.
    """
    content: dict[str, Any] = {name: part.state_dict() for name, part in parts.items()}
    content["state"] = asdict(state)
    content["random"] = torch.get_rng_state()
    write_whole(path, content)


def load_checkpoint(path: Path, parts: Mapping[str, Any]) -> RunState:
    """Put the parts and the global random stream back where they were.

    Raises:
        BadDataError: a file that cannot be read as a checkpoint of these parts.
    """
    content = read_whole(path)
    try:
        for name, part in parts.items():
            part.load_state_dict(content[name])
        torch.set_rng_state(content["random"])
        return RunState(**content["state"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise unreadable(path, error) from error


def save_model(path: Path, model: nn.Module) -> None:
    write_whole(path, {"model": model.state_dict()})


def load_model(path: Path, model: nn.Module) -> None:
    """Raises:
    BadDataError: a file that cannot be read as this model's.
    """
    content = read_whole(path)
    try:
        model.load_state_dict(content["model"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise unreadable(path, error) from error


def write_whole(path: Path, content: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(dict(content), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_whole(path: Path) -> dict[str, Any]:
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> BadDataError:
    first = (str(error).splitlines() or [type(error).__name__])[0][:120]
    return BadDataError(
        f"A checkpoint must be whole and of this model. Found {path}: {first} Start anew with rerun=true."
    )
