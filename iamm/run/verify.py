"""Repetition of a finished run, with a comparison of all numbers and weights to the last bit."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from torch import Tensor

from iamm.engine.checkpoint import load_saved
from iamm.errors import DifferentError
from iamm.record.checksummed import strict
from iamm.record.run_folder import RunFolder
from iamm.run.finished import read_finished
from iamm.run.job import run_of, with_data
from iamm.run.planned import Cell
from iamm.terminal import plain_console

KEYS = (
    *("test", "quality", "scene_weights", "validation_quality", "best_epoch", "epochs", "steps", "parameters"),
    *("details", "measures", "data", "notices", "seed", "threads", "bleu_signature"),
)
"""Keys of a result that are compared; the others state time, place and machine."""
CONDITIONS = ("commit", "instructions", "device")
SHOWN = 5
"""Differences that the error names."""


def verify_job(values: Mapping[str, Any], *, moved: bool) -> None:
    """Repeat a run in a new temporary folder and print whether it matched; that folder is kept only if it did not.

    Args:
        values: configuration with `run`.
        moved: whether the data are now in the `data_dir` of `values` instead of the recorded one.

    Raises:
        BadDataError: the run's files are damaged.
        DifferentError: the repeated run differs.
    """
    folder = RunFolder(Path(values["run"]))
    recorded = read_finished(folder, *KEYS, "choices", "device", "versions", "instructions", "commit")
    config = with_data(recorded["config"], values["data_dir"] if moved else None)
    with ExitStack() as stack:
        output = tempfile.mkdtemp(prefix="iamm-verify-")
        stack.callback(shutil.rmtree, output, ignore_errors=True)
        log = {**config["log"], "mlflow": None, "wandb": None}  # which have the run already
        config |= {"device": recorded["device"], "output_dir": output, "rerun": False, "log": log}
        cell, console = Cell(config, recorded["choices"]), plain_console()
        repeated = run_of(cell)(cell, console)
        different = list(differences(folder, cell.folder, recorded, repeated))
        changes = other_conditions(recorded, repeated)
        if different:
            stack.pop_all()
            raise DifferentError(difference_message(different, changes, folder.path, cell.folder.path))
    console.print(f"The run was repeated and matched, to the last bit: {folder.path}{changes}", soft_wrap=True)


def difference_message(different: Sequence[str], changes: str, run: Path, again: Path) -> str:
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    return (
        f"A repeated run must be the same to the last bit. Found {', '.join(different[:SHOWN])}{more} to differ."
        f"{changes} Compare {run} with {again}."
    )


def other_conditions(result: Mapping[str, Any], repeated: Mapping[str, Any]) -> str:
    """A sentence on commit, versions, instruction set and device where they differ, which may change bits."""
    then, now = ({**each["versions"], **{key: each[key] for key in CONDITIONS}} for each in (result, repeated))
    changes = [f"{key} {then.get(key)} then, {now[key]} now" for key in now if then.get(key) != now[key]]
    return f" Made under other conditions: {'; '.join(changes)}." if changes else ""


def differences(
    one: RunFolder, other: RunFolder, result: Mapping[str, Any], repeated: Mapping[str, Any]
) -> Iterator[str]:
    """The names of the values that differ."""
    yield from (key for key in KEYS if strict(result[key]) != strict(repeated[key]))
    if records(one) != records(other):
        yield "records"
    saved, again = (load_saved(folder.best) for folder in (one, other))
    if saved["epoch"] != again["epoch"]:
        yield "the epoch of the best model"
    weights, others = saved["model"], again["model"]
    names = dict.fromkeys((*others, *weights))
    yield from (f"weights of {name}" for name in names if not same_bits(weights.get(name), others.get(name)))


def same_bits(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None or (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    return one.numpy().tobytes() == other.numpy().tobytes()


def records(folder: RunFolder) -> list[Any]:
    """All records, without their times."""
    lines = map(json.loads, folder.read_records().splitlines()[:-1])
    return [{key: value for key, value in line.items() if key != "time"} for line in lines]
