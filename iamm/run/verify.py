"""Repetition of a finished run, with a comparison of all numbers and weights to the last bit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iamm.engine.checkpoint import load_weights
from iamm.errors import DifferentError
from iamm.record.run_folder import RunFolder, read_result
from iamm.run.job import require_release, run_of, with_data
from iamm.run.planned import Cell
from iamm.terminal import plain_console

KEYS = (
    *("test", "quality", "scene_weights", "validation_quality", "best_epoch", "epochs", "steps", "parameters"),
    *("details", "data", "notices"),
)
"""Keys of a result that are compared; the others state time, place and machine."""
SHOWN = 5
"""Differences that the error names."""


def verify_job(values: Mapping[str, Any], *, moved: bool) -> None:
    """Repeat a run in `verify/` of its folder and print whether it matched; `verify/` is kept only if it did not.

    Args:
        values: configuration with `run`.
        moved: whether the data are now in the `data_dir` of `values` instead of the recorded one.

    Raises:
        DifferentError: the repeated run differs.
    """
    run = Path(values["run"])
    recorded = read_result(run, ("choices", "config", "device", "versions", "instructions"))
    require_release(recorded["config"], run)
    config = with_data(recorded["config"], values["data_dir"] if moved else None)
    config |= {"device": recorded["device"], "output_dir": str(run / "verify"), "rerun": False}
    cell, console = Cell(config, recorded["choices"]), plain_console()
    if cell.folder.finished():
        cell.folder.clear()
    repeated = run_of(cell)(cell, console)
    different = list(differences(RunFolder(run), cell.folder, recorded, repeated))
    if different:
        raise DifferentError(difference_message(different, machine(recorded), machine(repeated), run, cell.folder.path))
    shutil.rmtree(run / "verify")
    console.print(f"The run was repeated and matched, to the last bit: {run}", soft_wrap=True)


def difference_message(
    different: Sequence[str], then: Mapping[str, str], now: Mapping[str, str], run: Path, again: Path
) -> str:
    more = f" and {len(different) - SHOWN} more" if len(different) > SHOWN else ""
    changes = [f"{key} {then.get(key)} then, {now[key]} now" for key in now if then.get(key) != now[key]]
    why = f" Made under other conditions: {'; '.join(changes)}." if changes else ""
    return (
        f"A repeated run must be the same to the last bit. Found {', '.join(different[:SHOWN])}{more} to differ.{why} "
        f"Compare {run} with {again}."
    )


def machine(result: Mapping[str, Any]) -> dict[str, str]:
    """Versions, instruction set and device, which may change bits."""
    return {**result["versions"], "instructions": result["instructions"], "device": result["device"]}


def differences(
    one: RunFolder, other: RunFolder, result: Mapping[str, Any], repeated: Mapping[str, Any]
) -> Iterator[str]:
    """The names of the values that differ."""
    yield from (key for key in KEYS if json.dumps(result.get(key)) != json.dumps(repeated[key]))
    if values(one) != values(other):
        yield "records"
    saved, again = (load_weights(folder.best) for folder in (one, other))
    yield from (f"weights of {name}" for name in saved if not same_bits(saved[name], again[name]))


def same_bits(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.numpy().tobytes() == other.numpy().tobytes())


def values(folder: RunFolder) -> list[Any]:
    """The values of all records, without their times."""
    return [json.loads(line).get("values") for line in folder.read_records().splitlines()]
