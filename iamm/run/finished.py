"""The check whether a planned run is finished already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iamm.config.parts import parts
from iamm.dataset.cache import checksum
from iamm.errors import BadDataError
from iamm.own import code_state, import_from_beside, is_allowed
from iamm.record.run_folder import read_result
from iamm.run.planned import Cell

PROJECT = "iamm"


def finished(cell: Cell) -> bool:
    """Whether the run is finished with the present data files and the present code of a user's own packages.

    Files that no longer exist are not compared.

    Raises:
        BadDataError: a data file or a user's own package differs, or the result cannot be read.
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
    own = [package for package in changed_code(cell) if package != PROJECT]
    if own:
        raise BadDataError(
            f"A finished run holds for the code that it was made with. Found {', '.join(own)} changed since "
            f"{cell.folder.path}: start anew with rerun=true, or set output_dir=… elsewhere."
        )
    return True


def code_states(values: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the sources of each package that a configuration names classes of; a library's version is recorded."""
    import_from_beside()
    names = {str(part.values["_target_"]).split(".")[0] for part in parts(values)}
    return {name: code_state(name) for name in sorted(names) if name == PROJECT or is_allowed(name)}


def changed_code(cell: Cell) -> list[str]:
    """The packages whose sources are not those that a finished run was made with."""
    recorded = read_result(cell.folder.path).get("code", {})
    present = code_states(cell.values)
    return [name for name in recorded if name in present and recorded[name] != present[name]]
