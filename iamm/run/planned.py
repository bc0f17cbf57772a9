"""A planned run, with its resolved configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from iamm.config.groups import overrides_of
from iamm.errors import BadDataError, ConfigError
from iamm.files import read_file
from iamm.record.address import address
from iamm.record.checksummed import write_json
from iamm.record.run_folder import RunFolder


@dataclass(frozen=True)
class Cell:
    """One run of a sweep or a table.

    Args:
        values: the resolved configuration, plain containers; later edits of a YAML do not change it.
        choices: group → chosen variant, as in `result.json`.
    """

    values: Mapping[str, Any]
    choices: Mapping[str, str]

    @cached_property
    def name(self) -> str:
        """The folder's name: readable, and a hash of what is computed."""
        names = (model_name(self.choices), self.choices["dataset"], f"seed{self.values['seed']}")
        return address(self.values, names)

    @cached_property
    def folder(self) -> RunFolder:
        return RunFolder(Path(self.values["output_dir"]) / self.name)

    def text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def distinct(cells: Iterable[Cell]) -> list[Cell]:
    """The runs without repetitions.

    Raises:
        ConfigError: two different runs would share a folder, since they differ in keys that no address contains.
    """
    runs: dict[Path, Cell] = {}
    for cell in cells:
        first = runs.setdefault(cell.folder.path, cell)
        if first.values != cell.values:
            key, one, other = min(differences(first.values, cell.values), key=lambda item: item[0].count("."))
            raise ConfigError(
                f"Runs side by side must compute different things. Found `{key}` alone to differ, {one} and {other}, "
                f"which a run's folder does not tell: give it one value, or each value an output_dir of its own."
            )
    return list(runs.values())


def differences(one: Mapping[str, Any], other: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each dotted key whose values differ, with both values."""
    for key in one.keys() | other.keys():
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from differences(left, right, f"{place}{key}.")
        elif left != right:
            yield f"{place}{key}", left, right


def model_name(choices: Mapping[str, str]) -> str:
    """The model and, with its group, each choice that differs from the model's own: `iamm-fusion_none`."""
    model = choices["model"]
    changed = [
        f"{group.split('@')[0]}_{choices[group]}"
        for group, choice in overrides_of(model)
        if choices.get(group, choice) != choice
    ]
    return "-".join((model, *changed))


def cell_of(text: str) -> Cell:
    return Cell(**json.loads(text))


def write_cell(path: Path, cell: Cell) -> None:
    write_json(path, asdict(cell))


def read_cell(path: Path) -> Cell:
    """Read a planned run.

    Raises:
        BadDataError: the file cannot be read.
    """
    try:
        return cell_of(read_file(path).decode())
    except (OSError, BadDataError, ValueError, TypeError) as error:
        raise BadDataError(
            f"Every machine of a sweep must see its run folders. Found {path}: {error}. Set output_dir=… where all do."
        ) from error
