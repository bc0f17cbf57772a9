"""Finished runs: whether one stands for what would be run now."""

from __future__ import annotations

from iamm.dataset.files import checksum
from iamm.errors import BadDataError
from iamm.record.run_folder import read_result
from iamm.run.planned import Cell


def finished(cell: Cell) -> bool:
    """Whether the run is finished, with the data files that lie there now; those that are gone cannot be compared.

    Raises:
        BadDataError: with other files; or its result cannot be read.
    """
    if not cell.folder.finished():
        return False
    recorded = read_result(cell.folder.path).get("files", {})
    changed = [
        f"{name} of {dataset}"
        for dataset, part in cell.values["dataset"].items()
        for name, content in recorded.get(dataset, {}).items()
        if checksum(part.get("data_dir"), name) not in (content, None)
    ]
    if changed:
        raise BadDataError(
            f"A finished run holds for the data that it was made with. Found {', '.join(changed)} changed since "
            f"{cell.folder.path}: bring the data back, start anew with rerun=true, or set output_dir=… elsewhere."
        )
    return True
