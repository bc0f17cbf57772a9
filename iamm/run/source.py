"""Initialisation of a run from the chosen model of a finished one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from iamm.dataset.base import Scene
from iamm.dataset.outline import scenes_of
from iamm.engine.checkpoint import load_saved
from iamm.errors import BadDataError, ConfigError, MissingDataError
from iamm.files import read_file
from iamm.record.checksummed import checked
from iamm.record.run_folder import RunFolder, read_result


def begin_from(path: Path, model: nn.Module) -> tuple[dict[str, str], list[str]]:
    """Copy the tensors of a finished run's chosen model into the model, by their names.

    Args:
        path: folder of the finished run.
        model: model to initialise; tensors whose names the run lacks are unchanged.

    Returns:
        the run's address with the SHA-256 of its model's file, and a notice on the tensors that only one of them has.

    Raises:
        MissingDataError: there is no finished run, or its model is missing.
        BadDataError: its result or its model is damaged.
        ConfigError: the shapes of a tensor differ, or no name is in both.
    """
    read_result(path, name="from")
    source, target = load_saved(RunFolder(path).best)["model"], model.state_dict()
    common = [name for name in target if name in source]
    check_shapes(path, {name: (source[name], target[name]) for name in common})
    with torch.no_grad():
        for name in common:
            target[name].copy_(source[name])
    address = model_address(path)
    new, left = [name for name in target if name not in source], [name for name in source if name not in target]
    return address, differences(path.name, new, left)


def check_shapes(path: Path, pairs: Mapping[str, tuple[Tensor, Tensor]]) -> None:
    """Check that there are common tensors, and that their shapes are equal."""
    if not pairs:
        raise ConfigError(f"`from` must name a run with parts of this one. Found none in {path}: take another.")
    for name, (source, target) in pairs.items():
        if source.shape != target.shape:
            raise ConfigError(
                f"`from` must name a run whose parts have this run's shapes. Found {name} {tuple(source.shape)} in "
                f"{path}, {tuple(target.shape)} here: give the part the same size, or another name."
            )


def differences(source: str, new: Collection[str], left: Collection[str]) -> list[str]:
    """A notice on the parts that only this run has, and on those that only the source has."""
    parts = [
        f"{what} {', '.join(sorted({'.'.join(name.split('.')[:2]) for name in names}))}"
        for what, names in (("new here:", new), ("left there:", left))
        if names
    ]
    return [f"begun from {source}; {'; '.join(parts)}."] if parts else []


def model_address(path: Path) -> dict[str, str]:
    """The name of a run's folder, and the SHA-256 of its chosen model's file."""
    return {"run": path.name, "sha256": hashlib.sha256(read_file(RunFolder(path).best)).hexdigest()}


def read_scenes(folder: RunFolder) -> list[list[Scene]]:
    """The scenes of a finished run, without their examples.

    Raises:
        MissingDataError: the folder lacks them.
        BadDataError: their file is damaged.
    """
    if not folder.scenes.exists():
        raise MissingDataError(
            f"A trained model is used with its scenes. Found no {folder.scenes}: train again with rerun=true."
        )
    try:
        return scenes_of(checked(read_file(folder.scenes)))
    except (ValueError, LookupError, TypeError) as error:
        raise BadDataError(
            f"Scenes must be as they were written. Found {folder.scenes}: {error}. Train again with rerun=true."
        ) from error
