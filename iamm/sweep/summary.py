"""The end of a sweep: an overview of its runs, as CSV too, and a table's YAML that compares them over seeds."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iamm.config.command_line import written
from iamm.config.compose import to_yaml
from iamm.config.groups import config_dirs
from iamm.errors import BadDataError
from iamm.files import writable, write_text
from iamm.record.address import BUDGET, PLACES
from iamm.record.overview import Scored, csv_text, described, differing, in_order, read_scored, show_overview
from iamm.record.run_folder import Result
from iamm.run.finished import changed_code, finished
from iamm.run.planned import Cell
from iamm.terminal import plain_console

NOT_OF_A_ROW = ("seed", "optimizer.lr", "epochs", "steps")
"""Keys that a table sets for all rows."""


def summarize(cells: Sequence[Cell]) -> None:
    """Print the finished runs, the best first, with the commands that show and compare them."""
    results = {cell.path: result_of(cell) for cell in cells}
    current = [cell for cell in cells if results[cell.path]]
    runs = in_order(read_scored(cell.path)._replace(settings=cell.settings) for cell in current)
    if not runs:
        return
    output_dir = Path(cells[0].values["output_dir"])
    name = "sweep_" + hashlib.sha256("".join(sorted(cell.name for cell in cells)).encode()).hexdigest()[:8]
    folder, console = output_dir / "sweeps", plain_console()
    show_overview(console, runs)
    older = sum(bool(changed_code(result)) for result in results.values() if result)
    if older:
        console.print(f"note: {older} of these were made by other code of iamm; rerun=true makes them anew.")
    save(folder / f"{name}.csv", csv_text(runs))
    console.print(f"sweep       {folder / name}.csv", soft_wrap=True)
    if table := comparison(cells, runs):
        save(folder / "table" / f"{name}.yaml", to_yaml(table))
        places = [word for word in cells[0].overrides if word.split("=")[0] in ("data_dir", "output_dir", "device")]
        command = ["iamm-table", "--config-dir", str(folder), f"table={name}", *places]
        console.print(f"compare     {shlex.join(command)}", soft_wrap=True)
    console.print(f"look at it  tensorboard --logdir {shlex.quote(str(output_dir))}", soft_wrap=True)


def result_of(cell: Cell) -> Result | None:
    """The result of the run if it is finished with the present data and code."""
    try:
        return finished(cell)
    except BadDataError:
        return None


def save(path: Path, text: str) -> None:
    with writable(path, what="A folder of sweeps"):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)


def comparison(cells: Sequence[Cell], runs: Sequence[Scored]) -> Mapping[str, Any] | None:
    """A table with a row for each combination of what differs besides seeds and learning rates.

    None where it would have one row, where budgets differ, or where a user's own folder of YAML files is needed.
    """
    different = differing(cell.settings for cell in cells)
    keys = [key for key in different if key not in NOT_OF_A_ROW]
    rows = {described(cell.settings, keys): overridden(cell, keys) for cell in cells}
    if len(rows) < 2 or (set(BUDGET) - {"seed"}) & set(different) or any(config_dirs()):
        return None
    shared = [key for key in written(cells[0].overrides) if key not in (*keys, *NOT_OF_A_ROW)]
    columns = {head: dict(zip(("scene", "measure"), head.rsplit(" ", 1), strict=True)) for head in runs[0].test}
    rates = sorted({cell.values["optimizer"]["lr"] for cell in cells})
    return {
        "title": f"Sweep over {', '.join(keys)}",
        "about": "The runs of a sweep, compared over seeds.",
        "shared": overridden(cells[0], shared),
        "rows": rows,
        "columns": columns,
        "seeds": sorted({cell.values["seed"] for cell in cells}),
        "budget": {"epochs": cells[0].values["epochs"], "steps": cells[0].values["steps"], "learning_rates": rates},
        "test": "t",
    }


def overridden(cell: Cell, keys: Sequence[str]) -> list[str]:
    """The words that set these keys, without those of places."""
    words = zip(written(cell.overrides), cell.overrides, strict=True)
    return [word for key, word in words if key in keys and key.split(".")[0] not in PLACES]
