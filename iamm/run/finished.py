"""The check whether a planned run is finished already."""

from __future__ import annotations

from iamm.dataset.cache import checksum
from iamm.errors import BadDataError
from iamm.record.run_folder import read_result
from iamm.run.planned import Cell


def finished(cell: Cell) -> bool:
    """Whether the run is finished with the present data files; files that no longer exist are not compared.

    Raises:
        BadDataError: a data file differs, or the result cannot be read.
    """
    if not cell.folder.finished():
        return False
    recorded = read_result(cell.folder.path).get("files", {})
    folders = {part.get("data_dir") for part in cell.values["dataset"].values()}
    changed = []
    for name, content in recorded.items():
        present = {checksum(folder, name) for folder in folders} - {None}
        if present and content not in present:
            changed.append(name)
    if changed:
        raise BadDataError(
            f"A finished run holds for the data that it was made with. Found {', '.join(changed)} changed since "
            f"{cell.folder.path}: bring the data back, start anew with rerun=true, or set output_dir=… elsewhere."
        )
    return True
