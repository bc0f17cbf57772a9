"""The finished run whose chosen model another one begins from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from iamm.engine.checkpoint import load_weights
from iamm.errors import ConfigError, MissingDataError
from iamm.record.run_folder import RunFolder, read_result


def begin_from(path: Path, model: nn.Module) -> tuple[dict[str, str], list[str]]:
    """Give the model the tensors of the run's chosen model, by their names.

    Args:
        path: the folder of the run.
        model: keeps its own tensors where the run has none of the name.

    Returns:
        the run's address with the SHA-256 of its model's file, and a notice on what did not go together.

    Raises:
        MissingDataError: no finished run lies there, or its model is gone.
        BadDataError: its result or its model is not as it was written.
        ConfigError: a tensor has another shape there, or no name is in both.
    """
    read_result(path, name="from")
    file = RunFolder(path).best
    if not file.exists():
        raise MissingDataError(f"`from` must name a run that holds its model. Found no {file}: train that run again.")
    there, here = load_weights(file), model.state_dict()
    both = [name for name in here if name in there]
    check_shapes(path, {name: (there[name], here[name]) for name in both})
    with torch.no_grad():
        for name in both:
            here[name].copy_(there[name])
    return (
        {"run": path.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
        differences(path.name, [name for name in here if name not in there], [n for n in there if n not in here]),
    )


def check_shapes(path: Path, pairs: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    if not pairs:
        raise ConfigError(f"`from` must name a run with parts of this one. Found none in {path}: take another.")
    for name, (there, here) in pairs.items():
        if there.shape != here.shape:
            raise ConfigError(
                f"`from` must name a run whose parts have this run's shapes. Found {name} {tuple(there.shape)} in "
                f"{path}, {tuple(here.shape)} here: give the part the same size, or another name."
            )


def differences(source: str, new: Collection[str], left: Collection[str]) -> list[str]:
    """A line on what begins anew, and on what of the source has no place here."""
    parts = [
        f"{what} {', '.join(sorted({'.'.join(name.split('.')[:2]) for name in names}))}"
        for what, names in (("new here:", new), ("left there:", left))
        if names
    ]
    return [f"begun from {source}; {'; '.join(parts)}."] if parts else []
