"""The checks whether a planned run is finished already, and whether a finished run's folder is whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from iamm.config.check.run_keys import leaves
from iamm.config.check.values import check_values, run_keys
from iamm.config.compose import to_yaml
from iamm.config.parts import parts
from iamm.dataset.cache import checksum
from iamm.errors import BadDataError, ConfigError, DamagedRunError
from iamm.files import encoded, read_file
from iamm.own import code_state, import_from_beside, is_allowed
from iamm.record.address import digest
from iamm.record.run_folder import Result, RunFolder, read_result
from iamm.run.planned import Cell

PROJECT = "iamm"


def finished(cell: Cell, result: Result | None = None) -> Result | None:
    """The result of a run that is finished with the present data files and a user's own present packages; else None.

    Args:
        cell: the planned run.
        result: of the run, as `read_own` gives it; None: it is read.

    Raises:
        BadDataError: a data file or a user's own package differs; the result cannot be read, or is of another
            configuration.
    """
    if not cell.folder.finished():
        return None
    result = read_own(cell.folder, cell.values) if result is None else result
    own = [package for package in changed_code(result) if package != PROJECT]
    for what, changed in (("data", changed_files(cell, result)), ("code", own)):
        if changed:
            raise BadDataError(
                f"A finished run holds for the {what} that it was made with. Found {', '.join(changed)} changed since "
                f"{cell.path}: bring the {what} back, start anew with rerun=true, or set output_dir=… elsewhere."
            )
    return result


def changed_files(cell: Cell, result: Result) -> list[str]:
    """The data files that are there, but not as they were when the result was written."""
    folders = {part.get("data_dir") for part in cell.values["dataset"].values()}
    present = {name: {checksum(folder, name) for folder in folders} - {None} for name in result.get("files", {})}
    return [name for name, found in present.items() if found and result["files"][name] not in found]


def read_own(folder: RunFolder, values: Mapping[str, Any], keys: Collection[str] = ("test", "config")) -> Result:
    """The result of a planned run, of this configuration or of another with the same address.

    Raises:
        BadDataError: it cannot be read, lacks a key, or is not of the configuration in the folder's name.
    """
    result = read_result(folder.path, keys)
    if result["config"] != values and not folder.path.name.endswith(f"-{digest(result['config'])}"):
        raise DamagedRunError(
            f"A result must be of its folder's configuration. Found {folder.result} of another: remove it, then give "
            "the same command again."
        )
    return result


def complete(cell: Cell) -> Result | None:
    """The result of a finished run that is not to be started anew, with all files as they were then; else None.

    Raises:
        BadDataError: as `finished`; or the damaged run cannot be brought to its end again.
    """
    result = None if cell.values["rerun"] else finished(cell)
    files = damaged(cell.folder, result) if result else []
    if "best.pt" in files or (files and not cell.folder.has_checkpoint()):
        raise BadDataError(
            f"A finished run's files must be as they were written. Found {', '.join(files)} of {cell.path} damaged: "
            "bring them back, or start anew with rerun=true."
        )
    return None if files else result


def damaged(folder: RunFolder, result: Result) -> list[str]:
    """The files of a finished run that are not as they were when its result was written."""
    now = folder.checksums()
    return sorted(name for name, sum in result.get("written", {}).items() if now.get(name) != sum)


def read_finished(folder: RunFolder, *keys: str, name: str = "run") -> dict[str, Any]:
    """The result of a finished run's folder, which may be anybody's.

    Args:
        folder: of the run.
        keys: that the result must hold, besides its configuration.
        name: of the configuration key that names the folder.

    Raises:
        MissingDataError: there is no finished run.
        BadDataError: the result is damaged, is of an earlier release, or does not fit the folder's configuration.
    """
    result = read_result(folder.path, ("config", "seed", "threads", *keys), name)
    config = result["config"]
    require_release(config, folder.path)
    try:
        check_values(config)
        same = read_file(folder.config) == encoded(to_yaml(config))
    except (ConfigError, FileNotFoundError) as error:
        raise BadDataError(f"A run's configuration must be there and valid. Found {folder.config}: {error}") from error
    if not same or any(result[key] != config[key] for key in ("seed", "threads")):
        raise BadDataError(
            f"A result must be of its folder's configuration. Found {folder.result} of another than {folder.config}: "
            "get the folder again."
        )
    return result


def require_release(config: Mapping[str, Any], run: Path) -> None:
    """Refuse a run of an earlier release, whose model may have other parameter names.

    Raises:
        BadDataError: the run lacks a key of this release.
    """
    missing = sorted(run_keys() - {*config, *(path for path, *_ in leaves(config, stop="_target_"))})
    if missing:
        raise BadDataError(
            f"A run is measured and repeated by the release that made it. Found {run} of an earlier one, without "
            f"{', '.join(missing)}: take that release, or train again with rerun=true."
        )


def code_states(values: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the sources of each package that a configuration names classes of; a library's version is recorded."""
    import_from_beside()
    names = {str(part.values["_target_"]).split(".")[0] for part in parts(values)}
    return {name: code_state(name) for name in sorted(names) if name == PROJECT or is_allowed(name)}


def changed_code(result: Result) -> list[str]:
    """The packages whose sources are not those that a finished run was made with."""
    import_from_beside()
    names = [name for name in result.get("code", {}) if name == PROJECT or is_allowed(name)]
    return [name for name in names if code_state(name) != result["code"][name]]
