"""A finished run, repeated: are all its numbers and weights the same, to the last bit?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from iamm.cli.cells import Cell
from iamm.errors import DifferentError
from iamm.report.records import RunFolder, read_result

KEYS = (
    *("test", "quality", "scene_weights", "validation_quality", "best_epoch", "epochs", "steps", "parameters"),
    *("data", "notices"),
)
"""Of a result; the others are about time, place and machine."""
SHOWN = 5


def verify_job(run: Path, changes: Mapping[str, Any]) -> None:
    """Repeat the run in its own folder's `verify/` and say whether it matched; that folder stays only where it did not.

    Args:
        run: folder of a finished run.
        changes: what is to be set anew for the repetition, such as where the data lie now.

    Raises:
        DifferentError: it did not, or was made by other versions and did not.
    """
    from omegaconf import OmegaConf

    from iamm.cli.job import plain_console
    from iamm.cli.training import train

    console = plain_console()
    recorded = read_result(run, ("choices", "config", "device", "versions", "instructions", *KEYS))
    values = {**recorded["config"], "device": recorded["device"], "output_dir": str(run / "verify"), **changes}
    cell = Cell(values, recorded["choices"])
    again = cell.folder
    if again.finished():
        again.clear()
    repeated = train(OmegaConf.create(values), cell, console)
    found = list(differences(RunFolder(run), again, recorded, repeated))
    before, now = machine(recorded), machine(repeated)
    if not found:
        shutil.rmtree(run / "verify")
        console.print(f"The run was repeated and matched, to the last bit: {run}", soft_wrap=True)
        return
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    other = [f"{key} {before.get(key)} then, {now[key]} now" for key in now if before.get(key) != now[key]]
    why = f" Made under other conditions: {'; '.join(other)}." if other else ""
    raise DifferentError(
        f"A repeated run must be the same to the last bit. Found {', '.join(found[:SHOWN])}{more} to differ.{why} "
        f"Compare {run} with {again.path}."
    )


def machine(result: Mapping[str, Any]) -> dict[str, str]:
    """What else may change bits."""
    return {**result["versions"], "instructions": result["instructions"], "device": result["device"]}


def differences(
    one: RunFolder, other: RunFolder, result: Mapping[str, Any], repeated: Mapping[str, Any]
) -> Iterator[str]:
    """Names of what is not the same."""
    import torch

    yield from (key for key in KEYS if json.dumps(result[key]) != json.dumps(repeated[key]))
    if values(one) != values(other):
        yield "records"
    saved, again = (torch.load(folder.best, weights_only=True)["model"] for folder in (one, other))
    yield from (f"weights of {name}" for name in saved if not same_bits(saved[name], again[name]))


def same_bits(one: Any, other: Any) -> bool:
    return bool(one.shape == other.shape and one.numpy().tobytes() == other.numpy().tobytes())


def values(folder: RunFolder) -> list[Any]:
    """Of all records; what they tell of time is left out."""
    return [json.loads(line).get("values") for line in folder.read_records().splitlines()]
